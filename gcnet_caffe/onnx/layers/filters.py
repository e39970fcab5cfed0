"""Convolution, Deconvolution, InnerProduct and Embed."""

from __future__ import annotations

import math

from gcnet_caffe.engine.layers.convolution import Convolution, Deconvolution
from gcnet_caffe.engine.layers.inner_product import Embed, InnerProduct
from gcnet_caffe.onnx.graph import Graph, Value
from gcnet_caffe.onnx.layers.base import converts

_OPS = {
    **dict.fromkeys(("Convolution", "ConvolutionDepthwise", "DepthwiseConvolution"), "Conv"),
    "Deconvolution": "ConvTranspose",
}


@converts(*_OPS)
def convolution(
    graph: Graph, layer: Convolution | Deconvolution, *bottoms: Value
) -> tuple[str, ...]:
    """Conv or ConvTranspose of each bottom, with the same weights."""
    layer.check(layer.channel_axis > 0, "axis: found 0, the batch, wanted the axis of channels")
    weights = [graph.weight(layer, index) for index in range(len(layer.blobs))]
    return tuple(_filtered(graph, layer, bottom, weights) for bottom in bottoms)


def _filtered(
    graph: Graph, layer: Convolution | Deconvolution, bottom: Value, weights: list[str]
) -> str:
    name, joined = bottom.name, layer.channel_axis > 1  # ONNX has one axis before the channels
    if joined:
        name = graph.reshape(name, [-1, *bottom.shape[layer.channel_axis :]])
    top = graph.add(
        _OPS[layer.param.type],
        name,
        *weights,
        kernel_shape=layer.kernel,
        strides=layer.stride,
        pads=layer.padding * 2,
        dilations=layer.dilation,
        group=layer.group,
    )
    return graph.as_top(top) if joined else top


@converts("InnerProduct")
def inner_product(graph: Graph, layer: InnerProduct, bottom: Value) -> str:
    """A matrix product on flattened rows, plus the bias."""
    kept = [0] * layer.first
    rows = graph.reshape(bottom.name, [*kept, math.prod(bottom.shape[layer.first :])])
    transposed = layer.param.inner_product_param.transpose
    weight = graph.weight(layer, 0, None if transposed else lambda blob: blob.T)
    top = graph.add("MatMul", rows, weight)
    return graph.add("Add", top, graph.weight(layer, 1)) if len(layer.blobs) > 1 else top


@converts("Embed")
def embed(graph: Graph, layer: Embed, bottom: Value) -> str:
    """The rows that the bottom numbers, plus the bias."""
    top = graph.add("Gather", graph.weight(layer, 0), graph.as_places(bottom.name))
    return graph.add("Add", top, graph.weight(layer, 1)) if len(layer.blobs) > 1 else top
