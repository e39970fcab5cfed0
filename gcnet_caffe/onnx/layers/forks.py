"""Layers of other Caffes: see engine/layers/forks for the formulas.

Namesakes are registered by the names that the engine gives them.
"""

from __future__ import annotations

from gcnet_caffe.engine.layers.forks.detection import Permute
from gcnet_caffe.engine.layers.forks.mobile import Axpy, ShuffleChannel
from gcnet_caffe.engine.layers.forks.neuron import (
    Flip,
    Insanity,
    OtherDropout,
    ReLU6,
    SeLu,
    SeLuDropout,
)
from gcnet_caffe.engine.layers.forks.normalization import (
    HappynearNormalize,
    NVIDIABatchNorm,
    PSPNetBN,
    SegNetBN,
    SSDNormalize,
)
from gcnet_caffe.engine.layers.forks.segmentation import Interp, SegNetUpsample, YOLOUpsample
from gcnet_caffe.onnx.graph import Graph, Value
from gcnet_caffe.onnx.layers.base import converts
from gcnet_caffe.onnx.layers.pooling import put_back


@converts("ReLU6")
def relu6(graph: Graph, layer: ReLU6, bottom: Value) -> str:
    """LeakyRelu or Relu, at most 6."""
    slope = layer.param.relu6_param.negative_slope
    op = {"alpha": slope} if slope else {}
    top = graph.add("LeakyRelu" if slope else "Relu", bottom.name, **op)
    return graph.add("Min", top, graph.constant(6))


@converts("SeLu")
def selu(graph: Graph, layer: SeLu, bottom: Value) -> str:
    """Selu with the layer's two numbers."""
    param = layer.param.selu_param
    return graph.add("Selu", bottom.name, alpha=param.alpha, gamma=getattr(param, "lambda"))


@converts("Insanity")
def insanity(graph: Graph, layer: Insanity, bottom: Value) -> str:
    """LeakyRelu with the slope of Caffe's TEST phase."""
    return graph.add("LeakyRelu", bottom.name, alpha=1 / layer.mean)


@converts("SeLuDropout")
def selu_dropout(graph: Graph, layer: SeLuDropout, bottom: Value) -> str:
    """The bottom itself, as in Caffe's TEST phase."""
    return bottom.name


@converts("SegNet or Fast R-CNN's Dropout")
def other_dropout(graph: Graph, layer: OtherDropout, bottom: Value) -> str:
    """The bottom, scaled without scale_train."""
    layer.check(not layer.draws, "sample_weights_test: found true: ONNX draws no random numbers")
    if layer.param.dropout_param.scale_train:
        return bottom.name
    return graph.add("Mul", bottom.name, graph.constant(1 - layer.ratio))


@converts("Flip")
def flip(graph: Graph, layer: Flip, bottom: Value) -> str:
    """A Slice from the last to the first."""
    if not layer.dims:
        return bottom.name
    ends = [-bottom.shape[dim] - 1 for dim in layer.dims]
    back = [-1] * len(ends)
    return graph.add("Slice", bottom.name, *map(graph.ints, (back, ends, layer.dims, back)))


@converts("ShuffleChannel")
def shuffle_channel(graph: Graph, layer: ShuffleChannel, bottom: Value) -> str:
    """The channels as group x rest, transposed."""
    grouped = graph.reshape(bottom.name, [0, layer.group, -1, *bottom.shape[2:]])
    order = [0, 2, 1, *range(3, len(bottom.shape) + 1)]
    return graph.as_top(graph.add("Transpose", grouped, perm=order))


@converts("Axpy")
def axpy(graph: Graph, layer: Axpy, a: Value, x: Value, y: Value) -> str:
    """a x + y, a one number per channel."""
    spread = graph.reshape(a.name, [0, 0, *[1] * (len(x.shape) - 2)])
    return graph.add("Add", graph.add("Mul", spread, x.name), y.name)


@converts("Permute")
def permute(graph: Graph, layer: Permute, bottom: Value) -> str:
    """A Transpose; the batch stays the first axis."""
    layer.check(layer.order[0] == 0, f"order {layer.order}: wanted 0 first: the batch")
    return graph.add("Transpose", bottom.name, perm=layer.order)


@converts("BN")
def segnet_bn(graph: Graph, layer: SegNetBN, bottom: Value) -> str:
    """Scale and shift, of bn_mode: INFERENCE."""
    layer.check(not layer.learns, "bn_mode: found LEARN, wanted INFERENCE")
    span = (1, -1, *[1] * (len(bottom.shape) - 2))
    scale, shift = (graph.weight(layer, i, lambda blob: blob.reshape(span)) for i in (0, 1))
    return graph.add("Add", graph.add("Mul", bottom.name, scale), shift)


@converts("PSPNet's BN", "NVIDIA's BatchNorm")
def other_batch_norm(graph: Graph, layer: PSPNetBN | NVIDIABatchNorm, bottom: Value) -> str:
    """BatchNormalization with the moving statistics."""
    if isinstance(layer, PSPNetBN):
        order, eps = (0, 1, 2, 3), layer.param.bn_param.eps
    else:
        order, eps = (3, 4, 0, 1), max(layer.param.batch_norm_param.eps, 1e-5)
    blobs = [graph.weight(layer, index, lambda blob: blob.reshape(-1)) for index in order]
    return graph.add("BatchNormalization", bottom.name, *blobs, epsilon=eps)


@converts("Normalize")
def ssd_normalize(graph: Graph, layer: SSDNormalize, bottom: Value) -> str:
    """The bottom over its length, times the learned scale."""
    param, count = layer.param.norm_param, len(bottom.shape)
    axes = list(range(1, count)) if param.across_spatial else [1]
    squares = graph.add("ReduceSumSquare", bottom.name, axes=axes, keepdims=1)
    length = graph.add("Sqrt", graph.add("Add", squares, graph.constant(param.eps)))
    span = (1, -1, *[1] * (count - 2))
    scale = graph.weight(layer, 0, lambda blob: blob.reshape(span))
    return graph.add("Mul", graph.add("Div", bottom.name, length), scale)


@converts("happynear's Normalize")
def happynear_normalize(graph: Graph, layer: HappynearNormalize, bottom: Value) -> tuple[str, ...]:
    """The bottom over its L2 or L1 norm, and the norm."""
    name, small = graph.as_top(bottom.name), graph.constant(1e-6)
    if layer.param.normalize_param.normalize_type == "L2":
        squares = graph.add("ReduceSumSquare", name, axes=[1], keepdims=1)
        norm = graph.add("Sqrt", graph.add("Add", squares, small))
    else:
        norm = graph.add("Add", graph.add("ReduceL1", name, axes=[1], keepdims=1), small)
    return (graph.add("Div", name, norm), norm)[: layer.num_tops]


@converts("Upsample")
def segnet_upsample(graph: Graph, layer: SegNetUpsample, bottom: Value, mask: Value) -> str:
    """Each value at the place that its mask gives; of one place only one value."""
    return put_back(graph, bottom, mask)


@converts("YOLO's Upsample")
def yolo_upsample(graph: Graph, layer: YOLOUpsample, bottom: Value) -> str:
    """Each pixel several times."""
    scales = graph.constant([1, 1, layer.scale, layer.scale])
    how = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.add("Resize", bottom.name, "", scales, mode="nearest", **how)


@converts("Interp")
def interp(graph: Graph, layer: Interp, bottom: Value, sized: Value | None = None) -> str:
    """A Resize of what is left of the bottom, corners on corners."""
    param, name = layer.param.interp_param, bottom.name
    if param.pad_beg or param.pad_end:
        ends = [size + param.pad_end for size in bottom.shape[2:]]
        name = graph.add("Slice", name, *map(graph.ints, ([-param.pad_beg] * 2, ends, [2, 3])))
    kept = graph.add("Shape", name, start=0, end=2)
    sizes = graph.add("Concat", kept, graph.ints(graph.top_shapes[0][2:]), axis=0)
    how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    return graph.add("Resize", name, "", "", sizes, **how)
