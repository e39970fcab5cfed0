"""BatchNorm, Scale and Bias."""

from __future__ import annotations

import numpy as np

from gcnet_caffe.engine.layers.batch_norm import BatchNorm
from gcnet_caffe.engine.layers.scale import Bias, Scale
from gcnet_caffe.onnx.graph import Graph, Value
from gcnet_caffe.onnx.layers.base import converts


@converts("BatchNorm")
def batch_norm(graph: Graph, layer: BatchNorm, bottom: Value) -> str:
    """Mean and variance are Caffe's decayed sums, each times 1 / factor (0 where that is 0)."""
    layer.check(layer.use_global, "use_global_stats: found false, wanted the stored statistics")
    factor = layer.blob(2).item()
    scale = np.float32(1 / factor if factor else 0)
    return graph.add(
        "BatchNormalization",
        bottom.name,
        graph.constant(np.ones(layer.channels)),
        graph.constant(np.zeros(layer.channels)),
        graph.weight(layer, 0, lambda blob: blob * scale),
        graph.weight(layer, 1, lambda blob: blob * scale),
        epsilon=layer.param.batch_norm_param.eps,
    )


@converts("Scale")
def scale(graph: Graph, layer: Scale, bottom: Value, factor: Value | None = None) -> str:
    """The bottom times a learned or given factor, plus the bias if there is one."""
    top = graph.add("Mul", bottom.name, _spread(graph, layer, 0, bottom, factor))
    if not layer.param.scale_param.bias_term:
        return top
    return graph.add("Add", top, _spread(graph, layer, int(layer.learned), bottom))


@converts("Bias")
def bias(graph: Graph, layer: Bias, bottom: Value, added: Value | None = None) -> str:
    """The bottom plus a learned or given bias."""
    return graph.add("Add", bottom.name, _spread(graph, layer, 0, bottom, added))


def _spread(
    graph: Graph, layer: Scale | Bias, index: int, bottom: Value, given: Value | None = None
) -> str:
    """The blob `index`, or the `given` bottom, in a shape that broadcasts against `bottom`."""
    span = layer.blob_shapes[index] if given is None else given.shape
    after = [1] * (len(bottom.shape) - layer.first - len(span))
    if given is not None:
        return graph.reshape(given.name, [0] * len(span) + after)
    return graph.weight(layer, index, lambda blob: blob.reshape(*span, *after))
