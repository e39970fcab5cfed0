"""The base class of the layers, and the registry of their types."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, Union

import torch
from torch import nn

from gcnet_caffe.engine.fillers import fill
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.blobs import blob_from_proto
from gcnet_caffe.formats.other_caffes import explain_layer
from gcnet_caffe.formats.shapes import top_shapes

if TYPE_CHECKING:
    from gcnet_caffe.engine.records import FeedOptions
    from gcnet_caffe.engine.rng import Rng
    from gcnet_caffe.formats.labels import LabelRange

TRAIN, TEST = caffe_pb.TRAIN, caffe_pb.TEST

#: A blob may not have more elements than this (Caffe src/caffe/blob.cpp, Reshape).
MAX_COUNT = 2**31 - 1

_REGISTRY: dict[str, type[Layer]] = {}
#: Type -> the layers of other Caffes that have this name, too: (whether a LayerParameter is theirs,
#: class).
_NAMESAKES: dict[str, list[tuple[Callable[[Any], bool], type[Layer]]]] = {}

#: The shape of a blob when the net is set up.
Shape = tuple[int, ...]
#: What a layer's forward returns: its top, or a tuple of its tops.
Tops = Union[torch.Tensor, tuple[torch.Tensor, ...]]

_LayerClass = TypeVar("_LayerClass", bound="type[Layer]")


@dataclass
class Context:
    """What the layers of one net share.

    Attributes
    ----------
    phase : int
        TRAIN or TEST; a LayerParameter that has a `phase` uses its own.
    rng : CaffeRng or DeviceRng
        Fillers, dropout masks and the seeds of the data layers are drawn from it, in Caffe's order.
    origin : str
        Path of the prototxt, for messages.
    rank, world_size : int
        Which of the solvers that train together this is, and how many there are.
    feed : FeedOptions, optional
        How Data layers keep their records in memory.
    summation : str
        The order of summation, one of options.SUMMATIONS.
    """

    phase: int
    rng: Rng
    origin: str = "net"
    rank: int = 0
    world_size: int = 1
    feed: FeedOptions | None = None
    summation: str = "torch"


def register(type_name: str) -> Callable[[_LayerClass], _LayerClass]:
    """Class decorator: the layer that a prototxt calls `type: "type_name"`."""

    def add(layer_class: _LayerClass) -> _LayerClass:
        layer_class.layer_type = type_name
        _REGISTRY[type_name] = layer_class
        return layer_class

    return add


def register_namesake(
    type_name: str, whose: str, is_theirs: Callable[[Any], bool]
) -> Callable[[_LayerClass], _LayerClass]:
    """Class decorator: a layer that only in another Caffe is called `type: "type_name"`.

    Parameters
    ----------
    type_name : str
    whose : str
        Whose layer it is, for messages.
    is_theirs : callable
        Takes a LayerParameter of that type; whether its fields are those of the other Caffe.
    """

    def add(layer_class: _LayerClass) -> _LayerClass:
        layer_class.layer_type = f"{whose}'s {type_name}"
        _NAMESAKES.setdefault(type_name, []).append((is_theirs, layer_class))
        return layer_class

    return add


def layer_types() -> list[str]:
    """Return the registered type names, sorted."""
    return sorted(_REGISTRY)


def layer_class(type_name: str) -> type[Layer]:
    """Return the class of a registered type."""
    return _REGISTRY[type_name]


def create_layer(param: Any, context: Context) -> Layer:
    """Return the layer of the LayerParameter `param`, not set up yet.

    Parameters
    ----------
    param : LayerParameter
    context : Context
        What the layers of its net share.

    Raises
    ------
    NetError
        The engine has no layer of this type.
    """
    if param.type not in _REGISTRY:
        said = explain_layer(param.type, layer_types())
        raise NetError(f"{context.origin}: layer {param.name!r}: {said}")
    for is_theirs, layer_class in _NAMESAKES.get(param.type, ()):
        if is_theirs(param):
            return layer_class(param, context)
    return _REGISTRY[param.type](param, context)


class Layer(nn.Module):
    """Base class of the layers; one subclass is one Caffe layer type.

    A subclass defines `forward`, and `prepare` where it has parameters to check or blobs to add.
    The shapes of its tops come from `formats.shapes`, which also works them out without the engine.
    The gradient is autograd's; where Caffe's backward is not the derivative of its forward, the
    subclass uses an autograd.Function.

    Attributes
    ----------
    param : LayerParameter
    num_tops : int
        How many tops the prototxt names, automatic ones added.
    propagate_down : tuple of bool
        Of `param`: torch.compile cannot read its lists.
    blobs : list of Parameter
        The learnable blobs in Caffe's order. A layer that shares a blob holds the owner's
        Parameter, possibly of another shape: read them with `blob(i)`.
    is_new : bool
        Whether it has never been set up for bottoms of other shapes (`reshape`).
    """

    #: Its name in a prototxt, `type: "..."`; `register` sets it.
    layer_type: str
    #: How many bottoms and tops the layer takes: (fewest, most); None is no limit.
    bottoms: tuple[int, int | None] = (1, 1)
    tops: tuple[int, int | None] = (1, 1)
    #: Whether missing tops are added without a name (losses may be written without a top).
    auto_tops = False
    #: Whether it is a loss: the weight of its first top is 1 where the prototxt says nothing.
    is_loss = False
    #: Whether its loss_param may say `normalization: PRE_FIXED`, which other Caffes have.
    takes_fixed_divisor = False
    #: Whether integer bottoms (the mask of Pooling) stay integers; other layers get float32.
    takes_indices = False
    #: Whether it makes blobs from nothing (data layers): forward takes no bottoms.
    is_source = False
    #: The labels that the layer can take, where a bottom holds class labels.
    label_range: LabelRange | None = None
    #: Whether forward draws random numbers; such a layer implements `draw`.
    draws = False
    #: Whether it holds something from one forward to the next that a training needs to continue
    #: exactly, besides its blobs: such a layer implements `state` and `set_state`.
    has_state = False
    #: Whether torch.compile may take it.
    is_compilable = True
    #: Whether a gradient of its tops can go back to its bottoms and blobs.
    has_backward = True

    #: Takes the bottoms, returns the top, or a tuple of the tops.
    forward: Callable[..., Tops]

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__()
        self.param, self.context = param, context
        self.name: str = param.name
        self.num_tops = max(len(param.top), self.tops[0] if self.auto_tops else 0)
        self.propagate_down = tuple(param.propagate_down)
        self.phase: int = param.phase if param.HasField("phase") else context.phase
        self.blobs = nn.ParameterList()
        self.blob_shapes: list[Shape] = []
        self.is_new = True

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        """Check the parameters and bottoms, add the blobs, return the shapes of the tops.

        Parameters
        ----------
        shapes : list of tuple of int
            The shapes of the bottoms.

        Returns
        -------
        list of tuple of int
            The shape of each top.

        Raises
        ------
        NetError
            A parameter is wrong, or does not suit the bottoms.
        """
        loss = self.param.loss_param
        self.check(
            self.takes_fixed_divisor or loss.normalization != loss.PRE_FIXED,
            "normalization: found PRE_FIXED, which only SmoothL1Loss and the OHEM losses have",
        )
        self.prepare(shapes)
        return self.top_shapes(shapes)

    def reshape(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        """As `setup` of bottoms of other `shapes`; the blobs stay.

        Raises
        ------
        NetError
            The parameters or the blobs do not suit the bottoms.
        """
        before, self.blob_shapes = self.blob_shapes, []
        self.is_new = False
        try:
            return self.setup(shapes)
        finally:
            self.blob_shapes = before

    def prepare(self, shapes: Sequence[Shape]) -> None:
        """Check the parameters and the bottoms of `shapes`, and add the blobs.

        Again for other `shapes`: then `is_new` is false, and what the layer remembers stays.
        """

    def top_shapes(self, shapes: Sequence[Shape]) -> list[Any]:
        """Return the shape of each top for bottoms of `shapes`; None where they do not fit."""
        return top_shapes(self.param, shapes, self.num_tops)

    def draw(self) -> None:
        """Draw the random numbers of the next forward, in the net's order of layers."""

    def state(self) -> Any:
        """Return what `set_state` takes, of what JSON keeps."""
        raise NotImplementedError

    def set_state(self, state: Any) -> None:
        """Continue from where `state` was taken."""
        raise NotImplementedError

    def error(self, text: str) -> NetError:
        """Return (not raise) a NetError that names the file and this layer."""
        return NetError(f"{self.context.origin}: layer {self.name!r} ({self.layer_type}): {text}")

    def check(self, condition: object, text: str) -> None:
        """Raise `error(text)` unless `condition`."""
        if not condition:
            raise self.error(text)

    def axis(self, index: int, ndim: int, what: str = "axis") -> int:
        """Return the axis `index`, counted from the end if negative, of a blob of `ndim` axes.

        Raises
        ------
        NetError
            There is no such axis; the message calls it `what`.
        """
        self.check(-ndim <= index < ndim, f"{what} {index}: out of range for {ndim} axes")
        return index % ndim

    def add_blob(self, shape: Sequence[int], filler: Any | None = None) -> None:
        """Append a learnable blob of `shape`.

        Parameters
        ----------
        shape : sequence of int
        filler : FillerParameter, optional
            What fills it; None is zeros. Values that the prototxt itself has (`blobs { }`)
            are used instead.

        Raises
        ------
        NetError
            The blob is too large, or the filler cannot fill it.
        """
        shape, index = tuple(shape), len(self.blob_shapes)
        if index < len(self.blobs):  # `reshape`: it is there
            there = tuple(self.blobs[index].shape)
            fits = math.prod(there) == math.prod(shape)
            self.check(fits, f"blob {index} is {there}, the bottoms need {shape}")
            self.blob_shapes.append(shape)
            return
        count = math.prod(shape)
        if not 0 <= count <= MAX_COUNT:
            raise self.error(f"blob {len(self.blobs)} of shape {shape}: too large")
        try:
            data = self._embedded(shape) if self.param.blobs else fill(filler, shape, self)
        except (RuntimeError, MemoryError):
            raise self.error(f"no memory for blob {len(self.blobs)} of shape {shape}") from None
        self.blobs.append(nn.Parameter(data))
        self.blob_shapes.append(shape)

    def blob(self, index: int) -> torch.Tensor:
        """Return blob `index` in the shape that this layer gave it."""
        blob: torch.Tensor = self.blobs[index]
        shape = self.blob_shapes[index]
        return blob if tuple(blob.shape) == shape else blob.reshape(shape)

    def _embedded(self, shape: Shape) -> torch.Tensor:
        index = len(self.blobs)
        given = self.param.blobs
        self.check(index < len(given), f"blobs: found {len(given)}, wanted {index + 1} or more")
        data = torch.from_numpy(blob_from_proto(given[index]))
        self.check(
            tuple(data.shape) == shape,
            f"blob {index}: found shape {tuple(data.shape)}, wanted {shape}",
        )
        return data


class Weighted(Layer):
    """A layer with a weight, and a bias of `num_output` values where it has a `bias_term`."""

    def add_weights(self, shape: Sequence[int], param: Any) -> None:
        """Append the weight of `shape`, and the bias; `param` is the type's own parameter."""
        self.add_blob(shape, param.weight_filler)
        if param.bias_term:
            self.add_blob((param.num_output,), param.bias_filler)

    @property
    def bias(self) -> torch.Tensor | None:
        """Blob 1, or None without a `bias_term`."""
        return self.blob(1) if len(self.blobs) > 1 else None
