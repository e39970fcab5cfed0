"""The shapes of a net's blobs, worked out from its prototxt alone.

Source: Caffe src/caffe/layers/<name>_layer.cpp, Reshape. The engine's layers also check their
bottoms and say what is wrong; here a shape that cannot be worked out is None.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Optional

from gcnet_caffe.formats._messages import caffe_pb
from gcnet_caffe.formats.fork_shapes import FORK_RULES, FORK_SAME

#: A blob's shape; an axis whose size is not known is None.
Shape = tuple[Optional[int], ...]


def pooled_size(full: int, kernel: int, stride: int, pad: int, floor: bool = False) -> int:
    """Return how many windows Caffe makes of `full` pixels."""
    windows = (full + 2 * pad - kernel) / stride
    pooled = (math.floor(windows) if floor else math.ceil(windows)) + 1
    if pad and (pooled - 1) * stride >= full + pad:
        pooled -= 1
    return pooled


def convolved_size(full: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """Return how many places a filter has on `full` pixels."""
    return (full + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1


def deconvolved_size(full: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """Return how many pixels a filter at `full` places covers."""
    return stride * (full - 1) + dilation * (kernel - 1) + 1 - 2 * pad


def top_shapes(layer: Any, shapes: Sequence[Shape | None], count: int) -> list[Shape | None]:
    """Return the shapes of the tops of `layer`, None where they cannot be worked out.

    Parameters
    ----------
    layer : LayerParameter
    shapes : sequence
        The shapes of its bottoms.
    count : int
        Number of its tops.
    """
    rule = _RULES.get(layer.type)
    if rule is None:
        return [None] * count
    try:
        found = rule(layer, shapes, count)
    except (TypeError, IndexError, ValueError, ZeroDivisionError):  # unknown, or does not fit
        return [None] * count
    return (list(found) + [None] * count)[:count]


Rule = Callable[[Any, Sequence[Any], int], Sequence[Any]]


def _same(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [shapes[0]] * count


def _inner_product(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.inner_product_param, shapes[0]
    if shape is None and param.axis >= 0:
        shape = (None,) * param.axis
    return [(*shape[: param.axis], param.num_output)]


def per_axis(param: Any, name: str, short: str, axes: int, default: int) -> Sequence[int]:
    """Return the sizes of the field `name` (or of `short`_h and _w), one per axis."""
    pair = [f"{short}_h", f"{short}_w"]
    if short and any(param.HasField(field) for field in pair):
        return [getattr(param, field) for field in pair]
    given = getattr(param, name)
    values = [given] if isinstance(given, int) else list(given) or [default]
    return values * axes if len(values) == 1 else values


def window(param: Any, axes: int) -> list[Sequence[int]]:
    """Return kernel sizes, strides and pads of a ConvolutionParameter or PoolingParameter."""
    return [
        per_axis(param, "kernel_size", "kernel", axes, 0),
        per_axis(param, "stride", "stride", axes, 1),
        per_axis(param, "pad", "pad", axes, 0),
    ]


def _sizes(full: Sequence[Any], size: Callable[..., int], *how: Sequence[Any]) -> list[Any]:
    """Return the `size` of each axis of `full`, None where that is not known."""
    return [None if each[0] is None else size(*each) for each in zip(full, *how)]


def _filters(size: Callable[..., int]) -> Rule:
    def rule(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
        param, shape = layer.convolution_param, shapes[0]
        if shape is None:
            return [(None, param.num_output, None, None)] * count if param.axis == 1 else []
        axis = param.axis % len(shape)
        space = shape[axis + 1 :]
        dilation = per_axis(param, "dilation", "", len(space), 1)
        sizes = _sizes(space, size, *window(param, len(space)), dilation)
        depthwise = layer.type == "ConvolutionDepthwise"
        outputs = shape[axis] if depthwise else param.num_output
        return [(*shape[:axis], outputs, *sizes)] * count

    return rule


def _pooling(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [_pooled(layer.pooling_param, shapes[0])] * count


def _pooled(param: Any, shape: Any) -> Any:
    if param.global_pooling:
        return (*shape[:2], 1, 1)
    floor = [param.round_mode == param.FLOOR] * 2
    return (*shape[:2], *_sizes(shape[2:], pooled_size, *window(param, 2), floor))


def pyramid(param: Any, size: Sequence[int]) -> list[Any]:
    """Return the PoolingParameter of each level of an SPPParameter for `size` (height, width)."""
    levels = []
    for level in range(param.pyramid_height):
        bins = 2**level
        kernel = [-(-full // bins) for full in size]
        pad = [(edge * bins - full + 1) // 2 for edge, full in zip(kernel, size)]
        pooling = caffe_pb.PoolingParameter(pool=param.pool)
        for axis, edge, space in zip("hw", kernel, pad):
            setattr(pooling, f"kernel_{axis}", edge)
            setattr(pooling, f"stride_{axis}", edge)
            setattr(pooling, f"pad_{axis}", space)
        levels.append(pooling)
    return levels


def _spp(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    shape = shapes[0]
    tops = [_pooled(param, shape) for param in pyramid(layer.spp_param, shape[2:])]
    if len(tops) == 1:
        return tops
    return [(shape[0], sum(math.prod(top[1:]) for top in tops))]


def _im2col(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.convolution_param, shapes[0]
    axis = param.axis % len(shape)
    space = shape[axis + 1 :]
    dilation = per_axis(param, "dilation", "", len(space), 1)
    how = window(param, len(space))
    channels = shape[axis] * math.prod(how[0])
    return [(*shape[:axis], channels, *_sizes(space, convolved_size, *how, dilation))]


def _max_unpool(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    if len(shapes) > 2:
        return [(*shapes[0][:2], *shapes[2][2:])]
    sizes = _sizes(shapes[0][2:], deconvolved_size, *window(layer.pooling_param, 2))
    return [(*shapes[0][:2], *sizes)]


def _concat(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.concat_param, list(shapes[0])
    axis = param.concat_dim if param.HasField("concat_dim") else param.axis
    shape[axis] = sum(other[axis] for other in shapes)
    return [tuple(shape)]


def _slice(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.slice_param, list(shapes[0])
    axis = param.slice_dim if param.HasField("slice_dim") else param.axis
    edges = [0, *param.slice_point, shape[axis]]
    sizes = [after - before for before, after in zip(edges, edges[1:])]
    sizes = sizes if param.slice_point else [shape[axis] // count] * count
    return [tuple(shape[:axis]) + (size,) + tuple(shape[axis:][1:]) for size in sizes]


def _flatten(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.flatten_param, shapes[0]
    first, last = param.axis % len(shape), param.end_axis % len(shape)
    return [(*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])]


def _reshape(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.reshape_param, shapes[0]
    first = param.axis if param.axis >= 0 else len(shape) + param.axis + 1
    last = len(shape) if param.num_axes == -1 else first + param.num_axes
    dims = [shape[first + i] if dim == 0 else dim for i, dim in enumerate(param.shape.dim)]
    found = [*shape[:first], *dims, *shape[last:]]
    if -1 in found:
        known = math.prod(dim for dim in found if dim != -1)
        found[found.index(-1)] = math.prod(shape) // known
    return [tuple(found)]


def _tile(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.tile_param, list(shapes[0])
    shape[param.axis] *= param.tiles
    return [tuple(shape)]


def _crop(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    first = layer.crop_param.axis % len(shapes[0])
    return [(*shapes[0][:first], *shapes[1][first:])]


def _reduction(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    axis = layer.reduction_param.axis
    return [shapes[0][: axis % max(len(shapes[0]), 1)]]


def _arg_max(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param, shape = layer.argmax_param, list(shapes[0])
    if param.HasField("axis"):
        shape[param.axis] = param.top_k
        return [tuple(shape)]
    rows = 2 if param.out_max_val else 1
    return [(shape[0], rows, param.top_k) + (1,) * (len(shape) - 3)]


def _mvn(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [tuple(shapes[0]) + (1,) * (4 - len(shapes[0]))]


def _embed(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [(*shapes[0], layer.embed_param.num_output)]


def _batch_reindex(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [(shapes[1][0], *shapes[0][1:])]


def _filter(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    """At the first batch; then as many as are chosen."""
    return shapes[:-1]


def _recurrent(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    size, (steps, streams) = layer.recurrent_param.num_output, shapes[0][:2]
    return [(steps, streams, size)] + [(1, streams, size)] * (count - 1)


def _memory_data(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    param = layer.memory_data_param
    batch = param.batch_size
    return [(batch, param.channels, param.height, param.width), (batch,)]


def _distance(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [(shapes[0][0], math.prod(shapes[0][1:]))]


def _accuracy(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [(), (shapes[0][layer.accuracy_param.axis],)]


def _loss(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    return [(), shapes[0]]


def _given(layer: Any, shapes: Sequence[Any], count: int) -> Sequence[Any]:
    """Input, DummyData and Parameter say their shapes."""
    if layer.type == "Parameter":
        return [tuple(layer.parameter_param.shape.dim)]
    param = layer.input_param if layer.type == "Input" else layer.dummy_data_param
    made = [tuple(shape.dim) for shape in param.shape]
    if layer.type == "DummyData" and not made:
        made = list(zip(param.num, param.channels, param.height, param.width))
    return made * count if len(made) == 1 else made


_SAME = (
    "AbsVal BNLL BatchNorm Bias Clip Dropout ELU Eltwise Exp LRN Log PReLU Power ReLU Scale "
    "Sigmoid Softmax Split Swish TanH Threshold"
)
_LOSSES = (
    "ContrastiveLoss EuclideanLoss HingeLoss InfogainLoss MultinomialLogisticLoss "
    "SigmoidCrossEntropyLoss SoftmaxWithLoss"
)
_CONVOLUTIONS = ("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution")
_RULES: dict[str, Rule] = {
    **FORK_RULES,
    **dict.fromkeys(_SAME.split() + FORK_SAME.split(), _same),
    **dict.fromkeys(_LOSSES.split(), _loss),
    **dict.fromkeys(("DummyData", "Input", "Parameter"), _given),
    "Accuracy": _accuracy,
    "ArgMax": _arg_max,
    "Concat": _concat,
    "BatchReindex": _batch_reindex,
    **dict.fromkeys(_CONVOLUTIONS, _filters(convolved_size)),
    "Crop": _crop,
    "Deconvolution": _filters(deconvolved_size),
    "Embed": _embed,
    "Filter": _filter,
    "Flatten": _flatten,
    "Im2col": _im2col,
    "InnerProduct": _inner_product,
    "LSTM": _recurrent,
    "LSTMUnit": lambda layer, shapes, count: [shapes[0]] * 2,
    "MVN": _mvn,
    "MaxUnpool": _max_unpool,
    "MemoryData": _memory_data,
    "NormalizedDistance": _distance,
    "Pooling": _pooling,
    "RNN": _recurrent,
    "Reduction": _reduction,
    "Reshape": _reshape,
    "SPP": _spp,
    "Slice": _slice,
    "Tile": _tile,
}
