"""Layers that move elements."""

from __future__ import annotations

from gcnet_caffe.engine.layers.shape import (
    Concat,
    Crop,
    Flatten,
    Reshape,
    Silence,
    Slice,
    Split,
    Tile,
)
from gcnet_caffe.onnx.graph import Graph, Value
from gcnet_caffe.onnx.layers.base import converts

_ANY = "the batch may have any size in ONNX"


@converts("Concat")
def concat(graph: Graph, layer: Concat, *bottoms: Value) -> str:
    """The bottoms one after the other along an axis."""
    return graph.add("Concat", *(bottom.name for bottom in bottoms), axis=layer.dim)


@converts("Slice")
def cut(graph: Graph, layer: Slice, bottom: Value) -> tuple[str, ...]:
    """The bottom cut into its tops along an axis."""
    layer.check(layer.dim > 0, f"axis: found 0, wanted 1 or more: {_ANY}")
    sizes, count = graph.ints(layer.sizes), len(layer.sizes)
    return graph.add_several("Split", bottom.name, sizes, outputs=count, axis=layer.dim)


@converts("Split")
def split(graph: Graph, layer: Split, bottom: Value) -> tuple[str, ...]:
    """The bottom itself, once per top."""
    return (bottom.name,) * layer.num_tops


@converts("Silence")
def silence(graph: Graph, layer: Silence, *bottoms: Value) -> tuple[str, ...]:
    """No node: Silence has no top."""
    return ()


@converts("Flatten")
def flatten(graph: Graph, layer: Flatten, bottom: Value) -> str:
    """The bottom in the shape of the top."""
    return graph.as_top(bottom.name)


@converts("Reshape")
def reshape(graph: Graph, layer: Reshape, bottom: Value) -> str:
    """The bottom in the shape of the top; the batch stays the first axis."""
    keeps_batch = layer.first > 0 or layer.dims[:1] in ([0], [-1])
    layer.check(keeps_batch, f"shape {layer.dims}: wanted 0 or -1 first: {_ANY}")
    return graph.as_top(bottom.name)


@converts("Tile")
def tile(graph: Graph, layer: Tile, bottom: Value) -> str:
    """The bottom repeated along an axis."""
    repeats = [1] * len(bottom.shape)
    repeats[layer.dim] = layer.param.tile_param.tiles
    return graph.add("Tile", bottom.name, graph.ints(repeats))


@converts("Crop")
def crop(graph: Graph, layer: Crop, bottom: Value, like: Value) -> str:
    """The part of the bottom that has the sizes of `like`, from the layer's offsets."""
    first, offsets = layer.first, layer.offsets
    if first == 0:  # both bottoms have the same batch
        layer.check(offsets[0] == 0, f"offset of axis 0: found {offsets[0]}, wanted 0: {_ANY}")
        first, offsets = 1, offsets[1:]
    ends = [offset + size for offset, size in zip(offsets, like.shape[first:])]
    places = (graph.ints(values) for values in (offsets, ends, range(first, len(like.shape))))
    return graph.add("Slice", bottom.name, *places)
