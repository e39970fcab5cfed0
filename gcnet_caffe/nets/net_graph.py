"""Any net as a graph of boxes: a layer, the in-place layers on its top, and what it makes.

Source: Caffe src/caffe/net.cpp (FilterNet, AppendBottom, AppendTop); python/caffe/draw.py for what
to show of a layer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.net_state import select_layers
from gcnet_caffe.formats.shapes import per_axis, top_shapes

_PHASES = {caffe_pb.TRAIN: "TRAIN", caffe_pb.TEST: "TEST"}


@dataclass
class Box:
    """One box.

    Attributes
    ----------
    title : str
        The layer's name.
    lines : list of str
        Its type and sizes, the in-place layers, the tops with their shapes.
    kind : str
        'data', 'filter', 'pooling', 'loss' or 'other'.
    """

    title: str
    lines: list[str] = field(default_factory=list)
    kind: str = "other"


@dataclass
class Graph:
    """Boxes and what flows between them.

    Attributes
    ----------
    boxes : list of Box
    edges : dict
        (index of the source, of the target) -> names of the blobs.
    """

    boxes: list[Box]
    edges: dict[tuple[int, int], list[str]]


@dataclass
class _Read:
    """What the layers of one phase read: layer -> [(blob, who made it)]; what follows in place."""

    bottoms: dict[int, list[tuple[str, Any]]] = field(default_factory=dict)
    in_place: dict[int, int] = field(default_factory=dict)


def net_graph(
    net: Any, origin: str, phase: str = "", level: int = 0, stages: tuple[str, ...] = ()
) -> Graph:
    """Return the Graph of a NetParameter in `phase`, or in both phases at once.

    A net that Caffe would refuse also has one: a bottom that no layer makes is a box of its own.

    Parameters
    ----------
    net : NetParameter
    origin : str
        What errors call the net.
    phase : str
        'TRAIN', 'TEST', or empty for both.
    level : int
    stages : tuple of str
        Of the NetState.

    Raises
    ------
    NetError
        A layer has include rules and exclude rules; or no layer is left.
    """
    phases = [number for number, name in _PHASES.items() if phase in ("", name)]
    chosen = {number: _chosen(net, origin, number, level, stages) for number in phases}
    reads = {number: _read(layers) for number, layers in chosen.items()}
    layers: dict[int, Any] = {}
    for number in reversed(phases):
        layers.update(chosen[number])
    if not layers:
        raise NetError(f"{origin}: no layer in phase {phase or 'TRAIN or TEST'}; nothing to draw")
    shapes = _shapes(chosen)
    owner = _owners(layers, chosen, reads)
    roots = [index for index in sorted(layers) if owner[index] == index]
    places: dict[Any, int] = {root: place for place, root in enumerate(roots)}
    boxes = []
    for root in roots:
        members = [index for index in sorted(layers) if owner[index] == root]
        only = [_PHASES[number] for number in phases if root in chosen[number]]
        mark = f" ({only[0]})" if len(phases) > len(only) else ""
        boxes.append(_box([layers[index] for index in members], net, members, shapes, mark))
    edges: dict[tuple[int, int], list[str]] = {}
    for read in reads.values():
        for index, bottoms in read.bottoms.items():
            for blob, maker in bottoms:
                if maker is None:
                    if blob not in places:
                        places[blob] = len(boxes)
                        boxes.append(Box(blob, ["no layer makes it"], "data"))
                    maker_place = places[blob]
                else:
                    maker_place = places[owner[maker]]
                target = places[owner[index]]
                if maker_place != target:
                    names = edges.setdefault((maker_place, target), [])
                    names += [blob] if blob not in names else []
    return Graph(boxes, _without_labels(boxes, edges))


def _without_labels(
    boxes: list[Box], edges: dict[tuple[int, int], list[str]]
) -> dict[tuple[int, int], list[str]]:
    """Return `edges` without those that bring labels from the data down to the losses.

    They would run beside the whole net; the loss names what it reads instead.
    """
    kept = {}
    for (source, target), names in edges.items():
        others = any(boxes[a].kind != "data" for a, b in edges if b == target)
        if others and boxes[source].kind == "data" and boxes[target].kind == "loss":
            lines = boxes[target].lines
            lines[1:1] = [f"← {name}" for name in names if f"← {name}" not in lines]
        else:
            kept[source, target] = names
    return kept


def _chosen(
    net: Any, origin: str, phase: int, level: int, stages: tuple[str, ...]
) -> dict[int, Any]:
    """Return {place in the file: LayerParameter} of the layers that the phase has."""
    numbered = caffe_pb.NetParameter()
    numbered.CopyFrom(net)
    for index, layer in enumerate(numbered.layer):
        if layer.include and layer.exclude:
            break  # select_layers refuses it by its name
        layer.name = str(index)
    numbered.state.phase = phase
    numbered.state.level = level
    numbered.state.stage.extend(stages)
    return {int(layer.name): layer for layer in select_layers(numbered, origin)}


def _read(layers: dict[int, Any]) -> _Read:
    found = _Read()
    makers: dict[str, int] = {}
    readers: dict[str, int] = {}  # of the blob as it is now
    for index, layer in layers.items():
        found.bottoms[index] = [(blob, makers.get(blob)) for blob in layer.bottom]
        for blob in layer.bottom:
            readers[blob] = readers.get(blob, 0) + 1
        if list(layer.bottom) == list(layer.top) and len(layer.top) == 1:
            blob = layer.top[0]
            if blob in makers and readers[blob] == 1:
                found.in_place[index] = makers[blob]
        for blob in layer.top:
            makers[blob], readers[blob] = index, 0
    return found


def _owners(
    layers: dict[int, Any], chosen: dict[int, dict[int, Any]], reads: dict[int, _Read]
) -> dict[int, int]:
    """Return the layer in whose box each is: an in-place layer is in its bottom's."""
    owner: dict[int, int] = {}
    for index in sorted(layers):
        makers = {reads[n].in_place.get(index) for n in chosen if index in chosen[n]}
        maker = makers.pop() if len(makers) == 1 else None
        # and not where a layer of one phase only would be in the box of both
        own = index if maker is None else owner[maker]
        alike = all((index in chosen[n]) == (own in chosen[n]) for n in chosen)
        owner[index] = own if alike else index
    return owner


def _shapes(chosen: dict[int, dict[int, Any]]) -> dict[tuple[int, str], Any]:
    """Return {(layer, top): shape} of those that are known whole."""
    found: dict[tuple[int, str], Any] = {}
    for layers in chosen.values():
        known: dict[str, Any] = {}
        for index, layer in layers.items():
            bottoms = [known.get(name) for name in layer.bottom]
            for top, shape in zip(layer.top, top_shapes(layer, bottoms, len(layer.top))):
                known[top] = shape
                if shape is not None and None not in shape:
                    found.setdefault((index, top), shape)
    return found


def _box(
    layers: list[Any], net: Any, members: list[int], shapes: dict[tuple[int, str], Any], mark: str
) -> Box:
    first = layers[0]
    box = Box((net.layer[members[0]].name or first.type) + mark, [_words(first)], _kind(first))
    if len(layers) > 1:
        box.lines += _wrapped([_words(layer) for layer in layers[1:]])
    for top in first.top:
        shape = next((shapes[i, top] for i in reversed(members) if (i, top) in shapes), None)
        text = "x".join(map(str, shape or ()))
        if top != net.layer[members[0]].name or len(first.top) > 1:
            text = f"{top}: {text}" if text else top
        box.lines += [f"→ {text}"] if text else []
    return box


def _wrapped(words: list[str]) -> list[str]:
    """Return lines of about 26 characters: what is done in place."""
    lines = [f"+ {words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + len(word) > 26:
            lines.append(f"+ {word}")
        else:
            lines[-1] += f", {word}"
    return lines


def _kind(layer: Any) -> str:
    if not layer.bottom:
        return "data"
    if layer.type in ("Convolution", "Deconvolution", "InnerProduct", "Embed"):
        return "filter"
    if layer.type in ("Pooling", "MaxUnpool", "SPP"):
        return "pooling"
    loss = "Loss" in layer.type or any(layer.loss_weight) or layer.type == "Accuracy"
    return "loss" if loss else "other"


def _words(layer: Any) -> str:
    """Return the type of a layer and its sizes, in a few words."""
    words = [layer.type or "(no type)"]
    if layer.type in ("Convolution", "Deconvolution", "Pooling", "MaxUnpool"):
        param = layer.convolution_param
        if layer.type in ("Pooling", "MaxUnpool"):
            param = layer.pooling_param
            names = {param.MAX: "MAX", param.AVE: "AVE", param.STOCHASTIC: "STOCHASTIC"}
            words += [names[param.pool]] if layer.type == "Pooling" else []
        else:
            words.append(str(param.num_output))
        words.append(_window(param))
        if getattr(param, "group", 1) > 1:
            words.append(f"group {param.group}")
    elif layer.type == "InnerProduct":
        words.append(str(layer.inner_product_param.num_output))
    elif layer.type == "Eltwise":
        param = layer.eltwise_param
        words.append({param.PROD: "PROD", param.SUM: "SUM", param.MAX: "MAX"}[param.operation])
    elif layer.type == "Dropout":
        words.append(f"{layer.dropout_param.dropout_ratio:g}")
    elif layer.type == "LRN":
        words.append(str(layer.lrn_param.local_size))
    elif layer.type == "Data":
        words.append(f"batch {layer.data_param.batch_size}")
    return " ".join(words)


def _window(param: Any) -> str:
    """Return '3x3/2 pad 1' of a Convolution's or a Pooling's parameters."""
    if getattr(param, "global_pooling", False):
        return "global"
    kernel = per_axis(param, "kernel_size", "kernel", 2, 0)
    stride = per_axis(param, "stride", "stride", 1, 1)
    pad = per_axis(param, "pad", "pad", 1, 0)
    text = "x".join(map(str, kernel))
    text += f"/{'x'.join(map(str, stride))}" if set(stride) != {1} else ""
    return text + (f" pad {'x'.join(map(str, pad))}" if set(pad) != {0} else "")
