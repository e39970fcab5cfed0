"""A blob as pycaffe shows it: data and diff as arrays that are its memory.

Source: Caffe include/caffe/blob.hpp, src/caffe/syncedmem.cpp, python/caffe/_caffe.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.errors import NetError

if TYPE_CHECKING:
    from torch import nn

    from gcnet_caffe.engine.layers.base import Layer

Array = NDArray[np.float32]


class Memory:
    """Numbers for torch, and for numpy: the same memory on a CPU, two copies with a GPU.

    Whoever asks for the array may write to it: the tensor then gets the array's numbers, once.

    Parameters
    ----------
    values : 1-d contiguous tensor of float32
    """

    def __init__(self, values: torch.Tensor) -> None:
        self.values = values
        self._host = values if values.device.type == "cpu" else None
        self._host_is_newer = False

    @property
    def tensor(self) -> torch.Tensor:
        """The numbers for torch, on the net's device."""
        if self._host_is_newer and self._host is not None:
            self.values.copy_(self._host)
            self._host_is_newer = False
        return self.values

    @property
    def array(self) -> Array:
        """The numbers for numpy."""
        if self._host is self.values:
            return self.values.numpy()
        if self._host is None:
            self._host = torch.empty(self.values.shape)
        if not self._host_is_newer:
            self._host.copy_(self.values)
            self._host_is_newer = True
        return self._host.numpy()


class Blob:
    """Numbers in the shape of a blob, and their gradient.

    Parameters
    ----------
    shape : sequence of int
        It starts on the CPU, filled with 0.

    Attributes
    ----------
    shape : tuple of int
    """

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self.shape: tuple[int, ...] = tuple(shape)
        self._data_memory = Memory(torch.zeros(self.count))
        self._diff_memory: Memory | None = None

    def move(self, device: torch.device) -> None:
        """Have its memory on `device`; arrays of before belong to no blob then, but on a CPU."""
        if device != self._data_memory.values.device:
            self._data_memory = Memory(self._data_memory.tensor.to(device))
            self._diff_memory = None

    def _data(self) -> Memory:
        return self._data_memory

    def _diff(self) -> Memory:
        if self._diff_memory is None:
            self._diff_memory = Memory(torch.zeros_like(self._data_memory.values))
        return self._diff_memory

    @property
    def data(self) -> Array:
        """Its numbers: an array of `shape` that is the net's memory."""
        return self._data().array[: self.count].reshape(self.shape)

    @property
    def diff(self) -> Array:
        """Its gradient: an array of `shape` that is the net's memory."""
        return self._diff().array[: self.count].reshape(self.shape)

    @property
    def tensor(self) -> torch.Tensor:
        """`data` as a tensor on the net's device."""
        return self._data().tensor[: self.count].view(self.shape)

    @property
    def gradient(self) -> torch.Tensor:
        """`diff` as a tensor on the net's device."""
        return self._diff().tensor[: self.count].view(self.shape)

    @property
    def count(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)

    def _axis(self, index: int) -> int:
        if len(self.shape) > 4:
            raise NetError(
                f"num, channels, height, width: wanted a blob of 4 axes at most, found {self.shape}"
            )
        return self.shape[index] if index < len(self.shape) else 1

    num = property(lambda self: self._axis(0), doc="The size of axis 0, or 1.")
    channels = property(lambda self: self._axis(1), doc="The size of axis 1, or 1.")
    height = property(lambda self: self._axis(2), doc="The size of axis 2, or 1.")
    width = property(lambda self: self._axis(3), doc="The size of axis 3, or 1.")

    def reshape(self, *shape: int) -> None:
        """Give it another shape; where it needs more memory, the numbers are then 0.

        Raises
        ------
        NetError
            A size is negative.
        """
        if min(shape, default=0) < 0:
            raise NetError(f"Blob.reshape: found {shape}, wanted sizes of 0 or more")
        self.shape = tuple(int(size) for size in shape)
        values = self._data_memory.values
        if self.count > values.numel():
            self._data_memory = Memory(values.new_zeros(self.count))
            self._diff_memory = None

    def share_data(self, other: Blob) -> None:
        """Use the data of `other`, a blob of as many numbers, from now on."""
        self._data_memory = other._data()

    def share_diff(self, other: Blob) -> None:
        """Use the diff of `other`, a blob of as many numbers, from now on."""
        self._diff_memory = other._diff()

    def put(self, values: torch.Tensor) -> None:
        """Take the shape and the numbers of the tensor `values`."""
        if tuple(values.shape) != self.shape:
            self.reshape(*values.shape)
        self.tensor.copy_(values.detach())


class LearnableBlob(Blob):
    """A blob of a layer: its memory is that of the layer's Parameter and of its gradient."""

    def __init__(self, layer: Layer, index: int) -> None:
        self._layer, self._index = layer, index

    @property
    def param(self) -> nn.Parameter:
        """The Parameter, which several layers may share."""
        found: nn.Parameter = self._layer.blobs[self._index]
        return found

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape that the layer gave it."""
        return tuple(self._layer.blob_shapes[self._index])

    def _data(self) -> Memory:
        return _memory(self.param, "data", self.param.data)

    def _diff(self) -> Memory:
        param = self.param
        if param.grad is None:
            param.grad = torch.zeros_like(param.data, memory_format=torch.contiguous_format)
        return _memory(param, "diff", param.grad)

    def reshape(self, *shape: int) -> None:
        """Give it another shape; where it needs more memory, the numbers are then 0."""
        values, count = self._data().tensor, math.prod(shape)
        same = values[:count] if count <= values.numel() else values.new_zeros(count)
        self.param.data, self.param.grad = same.view(shape), None
        self._layer.blob_shapes[self._index] = tuple(shape)

    def share_data(self, other: Blob) -> None:
        """Use the data of `other`, a blob of as many numbers, from now on."""
        self.param.data = other.tensor.view(self.param.shape)


def _memory(param: nn.Parameter, what: str, values: torch.Tensor) -> Memory:
    """Return the Memory of a Parameter's data or gradient, the same as long as they are."""
    kept: dict[str, Any] = param.__dict__
    memory: Memory | None = kept.get(f"_{what}_memory")
    if memory is None or memory.values.data_ptr() != values.data_ptr():
        memory = kept[f"_{what}_memory"] = Memory(values.detach().view(-1))
    return memory


class BlobVec(list[Blob]):
    """The blobs of a layer of one's own, which `add_blob` adds to.

    Parameters
    ----------
    layer : Layer
        The engine's layer, whose blobs they are.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__(LearnableBlob(layer, index) for index in range(len(layer.blobs)))
        self._layer = layer

    def add_blob(self, *shape: int) -> None:
        """Append a learnable blob of `shape`, filled with 0."""
        self._layer.add_blob(shape)
        self.append(LearnableBlob(self._layer, len(self)))
