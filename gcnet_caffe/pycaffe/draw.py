"""A net as a drawing by Graphviz: `caffe.draw`; `gcnet draw-net` draws without Graphviz.

Source: Caffe python/caffe/draw.py. It needs pydot and the program `dot`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from gcnet_caffe import files
from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats import caffe_pb

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}

_COLOURS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
_LEARNING = ("Convolution", "Deconvolution", "InnerProduct")


def _pydot() -> ModuleType:
    """Import pydot.

    Raises
    ------
    UsageError
        It is not installed.
    """
    try:
        import pydot
    except ImportError:
        raise UsageError(
            "caffe.draw needs pydot: pip install pydot; or draw with `gcnet draw-net`"
        ) from None
    found: ModuleType = pydot
    return found


def get_pooling_types_dict() -> dict[int, str]:
    """Return {number: name} of the kinds of pooling."""
    return {number: name for name, number in caffe_pb.PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: Any) -> str:
    """Return what is written at the arrow from a LayerParameter to its tops."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: Any) -> tuple[float, float]:
    """Return the lr_mult of weights and bias of a LayerParameter.

    Raises
    ------
    ValueError
        It is no Convolution, Deconvolution or InnerProduct, or has more than two `param`.
    """
    if layer.type not in _LEARNING:
        raise ValueError(f"{layer.type} layers do not have a learning rate multiplier")
    if len(layer.param) > 2:
        raise ValueError(f"{layer.name}: found {len(layer.param)} param, wanted 2 at most")
    found = [float(spec.lr_mult) for spec in layer.param]
    weights, bias, *_ = [*found, 1.0, 1.0]
    return weights, bias


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """Return what is written into the box of a LayerParameter.

    Parameters
    ----------
    layer : LayerParameter
    rankdir : str
        Direction of the drawing: LR, TB or BT.
    display_lrm : bool
        Whether the learning rate multipliers are.
    """
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    return f'"{separator.join(_lines(layer, separator, display_lrm))}"'


def _lines(layer: Any, separator: str, display_lrm: bool) -> Iterator[str]:
    yield layer.name
    kinds = get_pooling_types_dict()
    pooling = f" {kinds[layer.pooling_param.pool]}" if layer.type == "Pooling" else ""
    yield f"({layer.type}{pooling})"
    if layer.type in ("Convolution", "Deconvolution", "Pooling"):
        param = layer.pooling_param if pooling else layer.convolution_param
        sizes = (param.kernel_size, param.stride, param.pad)
        if not pooling:
            sizes = tuple((list(s) or [d])[0] for s, d in zip(sizes, (1, 1, 0)))
        words = ("kernel size", "stride", "pad")
        yield separator.join(f"{word}: {size}" for word, size in zip(words, sizes))
    if display_lrm and layer.type in _LEARNING:
        rates = get_layer_lr_mult(layer)
        if any(rates):
            yield "lr mult: {:.1f}, {:.1f}".format(*rates)


def choose_color_by_layertype(layertype: str) -> str:
    """Return the colour of a layer's box."""
    return _COLOURS.get(layertype, "#6495ED")


def _is_of(layer: Any, phase: int) -> bool:
    """Whether the rules of a LayerParameter name `phase`, or none; all else in them is passed over.

    Raises
    ------
    ValueError
        It has both include and exclude.
    """
    if layer.include and layer.exclude:
        raise ValueError(f"{layer.name}: found both include and exclude")
    named = any(rule.phase == phase for rule in layer.include or layer.exclude)
    return named if layer.include else not named


def get_pydot_graph(
    caffe_net: Any,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """Return a NetParameter as a graph of pydot.

    Parameters
    ----------
    caffe_net : NetParameter
    rankdir : str
        Direction of the drawing: LR, TB or BT.
    label_edges : bool
    phase : int, optional
        TRAIN or TEST: the layers of this phase alone.
    display_lrm : bool
        Whether the learning rate multipliers are shown.

    Raises
    ------
    UsageError
        pydot is not installed.
    """
    pydot = _pydot()
    graph = pydot.Dot(caffe_net.name or "Net", graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges = []
    for layer in caffe_net.layer:
        if phase is not None and not _is_of(layer, phase):
            continue
        node = f"{layer.name}_{layer.type}"
        label = get_layer_label(layer, rankdir, display_lrm)
        in_place = len(layer.bottom) == 1 and list(layer.bottom) == list(layer.top)
        colour = choose_color_by_layertype(layer.type)
        style = NEURON_LAYER_STYLE if in_place else {**LAYER_STYLE_DEFAULT, "fillcolor": colour}
        nodes[node] = pydot.Node(label, **style)
        for blob in layer.bottom:
            nodes[f"{blob}_blob"] = pydot.Node(blob, **BLOB_STYLE)
            edges.append((f"{blob}_blob", node, '""'))
        for blob in layer.top:
            nodes[f"{blob}_blob"] = pydot.Node(blob)
            edges.append((node, f"{blob}_blob", get_edge_label(layer) if label_edges else '""'))
    for made in nodes.values():
        graph.add_node(made)
    for start, end, label in edges:
        graph.add_edge(pydot.Edge(nodes[start], nodes[end], label=label))
    return graph


def draw_net(
    caffe_net: Any,
    rankdir: str,
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """Return the bytes of a picture of the kind `ext`; the rest as of `get_pydot_graph`."""
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    found: bytes = graph.create(format=ext)
    return found


def draw_net_to_file(
    caffe_net: Any,
    filename: str | os.PathLike[str],
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Write a picture of the kind that the file's name ends in; the rest as of `draw_net`."""
    kind = Path(filename).suffix.lstrip(".")
    picture = draw_net(caffe_net, rankdir, kind, phase, display_lrm)
    with files.atomic(filename, overwrite=True) as scratch:
        Path(scratch).write_bytes(picture)
