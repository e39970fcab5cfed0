"""What every layer is: a torch module made from a LayerParameter. And the registry of types."""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gcnet_caffe.engine.fillers import fill
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.blobs import blob_from_proto
from gcnet_caffe.formats.other_caffes import explain_layer

TRAIN, TEST = caffe_pb.TRAIN, caffe_pb.TEST

#: A blob may not have more elements than this (Caffe src/caffe/blob.cpp, Reshape).
MAX_COUNT = 2**31 - 1

_REGISTRY = {}


@dataclass
class Context:
    """What the layers of one net share.

    Attributes
    ----------
    phase : int
        TRAIN or TEST, unless a layer says its own.
    rng : engine.rng generator
        Fillers, dropout masks and the seeds of the data layers are drawn from it, in Caffe's order.
    origin : str
        The prototxt, for messages.
    rank, world_size : int
        Which of the solvers that train together this is, and how many there are.
    feed : engine.feed.FeedOptions, optional
        How Data layers hold their records.
    summation : str
        One of options.SUMMATIONS.
    """

    phase: int
    rng: Any
    origin: str = "net"
    rank: int = 0
    world_size: int = 1
    feed: Any = None
    summation: str = "torch"


def register(type_name):
    """Class decorator: the layer that a prototxt calls `type: "type_name"`."""

    def add(layer_class):
        layer_class.layer_type = type_name
        _REGISTRY[type_name] = layer_class
        return layer_class

    return add


def layer_types():
    """Return the registered type names, sorted."""
    return sorted(_REGISTRY)


def create_layer(param, context):
    """Return the layer of the LayerParameter `param`.

    Raises
    ------
    NetError
        There is no such layer type here.
    """
    if param.type not in _REGISTRY:
        said = explain_layer(param.type, layer_types())
        raise NetError(f"{context.origin}: layer {param.name!r}: {said}")
    return _REGISTRY[param.type](param, context)


class Layer(nn.Module):
    """Base class of the layers; one subclass is one Caffe layer type.

    A subclass defines `setup` (check the parameters, add the blobs, say the shapes of the tops)
    and `forward`. The gradient is autograd's, of the same numbers as Caffe's; where Caffe's
    backward is not the derivative of its forward, the subclass uses an autograd.Function.

    Attributes
    ----------
    param : LayerParameter
    blobs : list of Parameter
        The learnable blobs in Caffe's order. A layer that shares a blob holds the owner's
        Parameter, possibly of another shape: read them with `blob(i)`.
    """

    #: How many bottoms and tops the layer takes: (fewest, most); None is no limit.
    bottoms = (1, 1)
    tops = (1, 1)
    #: Whether missing tops are added without a name (losses may be written without a top).
    auto_tops = False
    #: Whether it is a loss: the weight of its first top is 1 where the prototxt says nothing.
    is_loss = False
    #: Whether integer bottoms (the mask of Pooling) are taken as they are, not as float32.
    takes_indices = False
    #: Whether it makes blobs from nothing (data layers): forward takes no bottoms.
    is_source = False
    #: A data.labels.LabelRange where a bottom holds class labels.
    label_range = None
    #: Whether forward draws random numbers; such a layer implements `draw`.
    draws = False
    #: Whether a gradient of its tops can go back to its bottoms and blobs.
    has_backward = True

    def __init__(self, param, context):
        super().__init__()
        self.param, self.name, self.context = param, param.name, context
        self.phase = param.phase if param.HasField("phase") else context.phase
        self.blobs = nn.ParameterList()
        self.blob_shapes = []

    def setup(self, shapes):
        """Check the parameters and bottoms, add the blobs, return the shapes of the tops.

        Parameters
        ----------
        shapes : list of tuple of int
            The shapes of the bottoms.

        Returns
        -------
        list of tuple of int
            One shape for each top that the layer can give; `self.num_tops` are used.
        """
        raise NotImplementedError

    def forward(self, *bottoms):
        """Return the top, or a tuple of the tops."""
        raise NotImplementedError

    def draw(self):
        """Draw the random numbers of the next forward, in the net's order of layers."""

    @property
    def num_tops(self):
        """How many tops the prototxt names, automatic ones added."""
        return max(len(self.param.top), self.tops[0] if self.auto_tops else 0)

    def error(self, text):
        """Return (not raise) a NetError that names the file and this layer."""
        return NetError(f"{self.context.origin}: layer {self.name!r} ({self.layer_type}): {text}")

    def check(self, condition, text):
        """Raise `error(text)` unless `condition`."""
        if not condition:
            raise self.error(text)

    def axis(self, index, ndim, what="axis"):
        """Return the axis `index`, which may be negative, of a blob of `ndim` axes."""
        self.check(-ndim <= index < ndim, f"{what} {index}: out of range for {ndim} axes")
        return index % ndim

    def add_blob(self, shape, filler=None):
        """Append a learnable blob, filled by `filler` (a FillerParameter; None is zeros).

        Blobs that the prototxt carries itself (`blobs { }`) are taken instead.
        """
        shape = tuple(shape)
        count = math.prod(shape)
        if not 0 <= count <= MAX_COUNT:
            raise self.error(f"blob {len(self.blobs)} of shape {shape}: too large")
        try:
            data = self._embedded(shape) if self.param.blobs else fill(filler, shape, self)
        except (RuntimeError, MemoryError):
            raise self.error(f"no memory for blob {len(self.blobs)} of shape {shape}") from None
        self.blobs.append(nn.Parameter(data))
        self.blob_shapes.append(shape)

    def blob(self, index):
        """Return blob `index` in the shape that this layer gave it."""
        blob = self.blobs[index]
        shape = self.blob_shapes[index]
        return blob if tuple(blob.shape) == shape else blob.reshape(shape)

    def _embedded(self, shape):
        index = len(self.blobs)
        self.check(
            index < len(self.param.blobs), f"blobs: found {len(self.param.blobs)}, wanted more"
        )
        data = torch.from_numpy(blob_from_proto(self.param.blobs[index]))
        self.check(
            tuple(data.shape) == shape,
            f"blob {index}: found shape {tuple(data.shape)}, wanted {shape}",
        )
        return data
