"""Layers that read and write HDF5 files: HDF5Data and HDF5Output.

Source: Caffe src/caffe/layers/hdf5_data_layer.cpp, hdf5_output_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from gcnet_caffe import files
from gcnet_caffe.engine.layers.base import TEST, Layer, Shape, Tops, register
from gcnet_caffe.formats.hdf5 import opened
from gcnet_caffe.formats.hdf5_data import HDF5Files


@register("HDF5Data")
class HDF5Data(Layer):
    """Batches of the rows of HDF5 files, one file after the other; each top is a dataset.

    With `shuffle` the files and the rows of each are shuffled, as in Caffe by the C library's
    rand(). Of several ranks that train together, each uses the rows whose number modulo the count
    of ranks is its own.
    """

    bottoms, tops, is_source, has_state = (0, 0), (1, None), True, True
    like: torch.Tensor

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        self._files = HDF5Files(self.param, self.context.origin)
        self._shuffles = self.param.hdf5_data_param.shuffle
        self._order = list(range(len(self._files.paths)))
        self._shuffle(self._order)
        self._file = self._row = self._count = 0
        self._load()
        self._ranks = 1 if self.phase == TEST else self.context.world_size
        self.register_buffer("like", torch.zeros(()), persistent=False)
        return [(self._files.batch_size, *data.shape[1:]) for data in self._data]

    def _shuffle(self, items: list[int]) -> None:
        if self._shuffles:
            self.context.rng.libc.shuffle(items)

    def _load(self) -> None:
        """Read the file at the place `_file` of the order, and shuffle its rows."""
        self._data = self._files.read(self._order[self._file])
        self._rows = list(range(len(self._data[0])))
        self._shuffle(self._rows)

    def state(self) -> dict[str, Any]:
        """Return the place, the orders and the state of rand(), as JSON keeps them."""
        return {
            "file": self._file,
            "row": self._row,
            "count": self._count,
            "orders": [self._order, self._rows] if self._shuffles else None,
            "rand": self.context.rng.libc.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where `state` was taken."""
        self._file, self._row, self._count = state["file"], state["row"], state["count"]
        if state["orders"]:
            self._order = state["orders"][0]
        self._load()
        if state["orders"]:
            self._rows = state["orders"][1]
        self.context.rng.libc.set_state(state["rand"])

    def _go_on(self, rows: int) -> None:
        """Go on by so many `rows`, at most to the end of the file; there to the next one."""
        self._row += rows
        self._count += rows
        if self._row < len(self._rows):
            return
        self._row = 0
        if len(self._order) > 1:
            self._file = (self._file + 1) % len(self._order)
            if self._file == 0:
                self._shuffle(self._order)
            self._load()
        self._shuffle(self._rows)

    def forward(self) -> Tops:
        batch: list[list[np.ndarray[Any, np.dtype[np.float32]]]] = [[] for _ in self._data]
        left = self._files.batch_size
        while left:
            skipped = (self.context.rank - self._count) % self._ranks
            first = self._row + skipped
            if first >= len(self._rows):
                self._go_on(len(self._rows) - self._row)
                continue
            chosen = self._rows[first : first + (left - 1) * self._ranks + 1 : self._ranks]
            for part, data in zip(batch, self._data):
                part.append(data[chosen])
            left -= len(chosen)
            self._go_on(skipped + (len(chosen) - 1) * self._ranks + 1)
        return tuple(torch.from_numpy(np.concatenate(part)).to(self.like) for part in batch)


@register("HDF5Output")
class HDF5Output(Layer):
    """Writes its bottoms to the file `file_name`, as `data` and `label`: one batch, as in Caffe."""

    bottoms, tops = (2, 2), (0, 0)
    has_backward = is_compilable = False

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(self.param.hdf5_output_param.file_name, "file_name: wanted the file to write")
        self.check(
            all(len(shape) <= 4 for shape in shapes) and shapes[0][:1] == shapes[1][:1],
            f"found bottoms of {shapes[0]} and {shapes[1]}, wanted at most 4 axes, the first alike",
        )
        self._written = False

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        path = self.param.hdf5_output_param.file_name
        self.check(not self._written, f"{path}: holds a batch already; the file can hold one")
        with files.atomic(path, overwrite=True) as scratch, opened(scratch, "w") as file:
            for name, bottom in zip(("data", "label"), bottoms):
                shape = (tuple(bottom.shape) + (1,) * 4)[:4]
                file[name] = bottom.detach().cpu().reshape(shape).float().numpy()
        self._written = True
        return ()
