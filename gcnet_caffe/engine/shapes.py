"""The shapes of a net's blobs as far as they can be told without data, and without weights."""

from __future__ import annotations

from typing import Any

import torch

from gcnet_caffe.engine.layers import Context, create_layer
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import GcnetError


def infer_shapes(layers: list[Any], origin: str) -> list[list[tuple[int, ...] | None]]:
    """Return the shape of each top of each of `layers`, None where it cannot be told.

    Parameters
    ----------
    layers : list of LayerParameter
        In their order; as select_layers gives them. They stay as they are.
    origin : str
        The prototxt.

    Notes
    -----
    What a Data layer gives is not looked up; what follows a layer that is unknown here, or wrong,
    is unknown.
    """
    context = Context(layers[0].phase if layers else 0, CaffeRng(1), origin)
    known: dict[str, tuple[int, ...] | None] = {}
    found = []
    for layer in layers:
        bottoms = [known.get(name) for name in layer.bottom]
        shapes = [] if layer.type == "Data" or None in bottoms else _setup(layer, bottoms, context)
        tops = [*shapes, *[None] * len(layer.top)][: len(layer.top)]
        known.update(zip(layer.top, tops))
        found.append(tops)
    return found


def _setup(param: Any, bottoms: list[Any], context: Context) -> list[tuple[int, ...]]:
    """Return the shapes of the tops of the layer `param`; its blobs take no memory."""
    copy = type(param)()
    copy.CopyFrom(param)
    copy.ClearField("blobs")
    for filler in copy.dummy_data_param.data_filler:
        filler.Clear()
    try:
        with torch.device("meta"):
            layer = create_layer(copy, context)
            layer.add_blob = lambda shape, filler=None: layer.blobs.append(
                torch.nn.Parameter(torch.empty(tuple(shape)))
            )
            return [tuple(shape) for shape in layer.setup(bottoms)]
    except (GcnetError, RuntimeError, IndexError, ValueError):
        return []
