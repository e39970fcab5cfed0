"""Pooling and MaxUnpool.

ONNX counts the place of a maximum through the whole tensor, N x C x H x W, and Caffe within its
H x W plane; a mask here is Caffe's, as 64-bit integers. ONNX's own MaxUnpool cannot restore an odd
size nor add up what overlaps; ScatterElements in each plane does, at any batch size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from gcnet_caffe.engine.layers.pooling import MaxUnpool, Pooling, reached
from gcnet_caffe.onnx.graph import Graph, Value
from gcnet_caffe.onnx.layers.base import converts


@converts("Pooling")
def pooling(graph: Graph, layer: Pooling, bottom: Value) -> str | tuple[str, ...]:
    """Maximum, with Caffe's mask if it is a top, or average of each window."""
    param, full = layer.param.pooling_param, bottom.shape[2:]
    sizes = graph.top_shapes[0][2:]
    windows = {"kernel_shape": layer.kernel, "strides": layer.stride}
    pads = _pads(layer, full, sizes)
    if param.pool == param.AVE:
        return _average(graph, layer, bottom, sizes, pads, windows)
    if layer.num_tops == 1:
        return graph.add("MaxPool", bottom.name, pads=pads, **windows)
    top, index = graph.add_several("MaxPool", bottom.name, outputs=2, pads=pads, **windows)
    return top, graph.places("Mod", index, graph.ints(math.prod(full)))


def _pads(layer: Pooling, full: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """What is added before and after, so that rounding down makes Caffe's number of windows."""
    extent = (np.array(sizes) - 1) * layer.stride + layer.kernel
    after = np.maximum(0, extent - layer.pad - full)
    inside = bool((after < layer.kernel).all())
    layer.check(inside, f"a window is outside the bottom, {tuple(full)} pixels")
    return [*layer.pad, *after.tolist()]


def _average(
    graph: Graph,
    layer: Pooling,
    bottom: Value,
    sizes: Sequence[int],
    pads: list[int],
    windows: dict[str, Any],
) -> str:
    """Caffe divides by the pixels of the window and its padding, without what rounding up adds."""
    edges = [0, 0, *pads[:2], 0, 0, *pads[2:]]
    name = graph.add("Pad", bottom.name, graph.ints(edges)) if any(edges) else bottom.name
    top = graph.add("AveragePool", name, **windows)
    counts = [
        reached(*of_axis).numpy().astype(np.float32)
        for of_axis in zip(bottom.shape[2:], sizes, layer.kernel, layer.stride, layer.pad)
    ]
    factor = math.prod(layer.kernel) / (counts[0][:, None] * counts[1])
    return top if (factor == 1).all() else graph.add("Mul", top, graph.constant(factor))


@converts("MaxUnpool")
def max_unpool(
    graph: Graph, layer: MaxUnpool, pooled: Value, mask: Value, sized: Value | None = None
) -> str:
    """Each pooled value back at the place that its mask gives, zeros elsewhere."""
    return put_back(graph, pooled, mask)


def put_back(graph: Graph, pooled: Value, mask: Value) -> str:
    """Add nodes that put each value at the place that its mask gives, in planes of the top."""
    channels, *full = graph.top_shapes[0][1:]
    batch = graph.add("Shape", pooled.name, start=0, end=1)
    planes = graph.add("Concat", batch, graph.ints([channels, math.prod(full)]), axis=0)
    empty = graph.add("ConstantOfShape", planes)  # of float32 zeros
    rows = [graph.reshape(name, [0, 0, -1]) for name in (graph.as_places(mask.name), pooled.name)]
    top = graph.add("ScatterElements", empty, *rows, axis=2, reduction="add")
    return graph.as_top(top)
