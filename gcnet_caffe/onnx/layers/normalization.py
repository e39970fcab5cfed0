"""Softmax, NormalizedDistance, LRN and MVN."""

from __future__ import annotations

from gcnet_caffe.engine.layers.losses import Softmax
from gcnet_caffe.engine.layers.normalization import LRN, MVN, NormalizedDistance
from gcnet_caffe.onnx.graph import Graph, Value
from gcnet_caffe.onnx.layers.base import converts


@converts("Softmax")
def softmax(graph: Graph, layer: Softmax, bottom: Value) -> str:
    """Softmax over the layer's axis."""
    return graph.add("Softmax", bottom.name, axis=layer.dim)


@converts("NormalizedDistance")
def normalized_distance(graph: Graph, layer: NormalizedDistance, *bottoms: Value) -> str:
    """The absolute difference of the two bottoms, each brought to length 1."""
    units = [_unit(graph, graph.as_top(bottom.name)) for bottom in bottoms]
    return graph.add("Abs", graph.add("Sub", *units))


def _unit(graph: Graph, rows: str) -> str:
    total = graph.add("ReduceSumSquare", rows, axes=[1], keepdims=1)
    length = graph.add("Sqrt", graph.add("Add", total, graph.constant(1e-6)))
    return graph.add("Div", rows, length)


@converts("LRN")
def lrn(graph: Graph, layer: LRN, bottom: Value) -> str:
    """LRN across channels, or within a channel from its formula."""
    param = layer.param.lrn_param
    common = {"alpha": param.alpha, "beta": param.beta}
    if param.norm_region == param.ACROSS_CHANNELS:
        return graph.add("LRN", bottom.name, size=param.local_size, bias=param.k, **common)
    around = graph.add(
        "AveragePool",
        graph.add("Mul", bottom.name, bottom.name),
        kernel_shape=[param.local_size] * 2,
        pads=[(param.local_size - 1) // 2] * 4,
        count_include_pad=1,
    )
    # Caffe takes k as 1 here
    inner = graph.add("Mul", around, graph.constant(param.alpha))
    inner = graph.add("Add", inner, graph.constant(1))
    return graph.add("Mul", bottom.name, graph.add("Pow", inner, graph.constant(-param.beta)))


@converts("MVN")
def mvn(graph: Graph, layer: MVN, bottom: Value) -> str:
    """The bottom minus its mean, divided by its standard deviation if the layer says so."""
    param = layer.param.mvn_param
    axes = [1, 2, 3] if param.across_channels else [2, 3]
    name = graph.as_top(bottom.name)  # with 4 axes
    top = graph.add("Sub", name, graph.add("ReduceMean", name, axes=axes))
    if not param.normalize_variance:
        return top
    variance = graph.add("ReduceMean", graph.add("Mul", top, top), axes=axes)
    spread = graph.add("Add", graph.add("Sqrt", variance), graph.constant(param.eps))
    return graph.add("Div", top, spread)
