"""Any net as a graph of boxes: a layer, the in-place layers on its top, and what it makes.

Source: Caffe src/caffe/net.cpp (FilterNet, AppendBottom, AppendTop); python/caffe/draw.py for what
to show of a layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.net_state import is_included
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


class _Reads(NamedTuple):
    """What the layers of one phase read.

    Attributes
    ----------
    links : list of (layer, blob, maker)
        The maker is a layer, or the blob itself where no layer makes it.
    in_place : dict
        Layer -> the one whose top it changes in place.
    """

    links: list[tuple[int, str, Any]]
    in_place: dict[int, int]


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
    chosen: dict[int, dict[int, Any]] = {}
    layers: dict[int, Any] = {}
    for number in phases:
        state = caffe_pb.NetState(phase=number, level=level, stage=stages)
        chosen[number] = {
            index: layer
            for index, layer in enumerate(net.layer)
            if is_included(layer, state, origin)
        }
        layers = {**chosen[number], **layers}
    if not layers:
        raise NetError(f"{origin}: no layer in phase {phase or 'TRAIN or TEST'}; nothing to draw")
    shapes = _shapes(chosen)
    reads = {number: _read(chosen[number]) for number in phases}
    owner = _owners(layers, chosen, reads)
    members: dict[int, list[int]] = {}
    for index in sorted(layers):
        members.setdefault(owner[index], []).append(index)
    boxes = []
    for root, indices in members.items():
        only = [_PHASES[number] for number in phases if root in chosen[number]]
        mark = f" ({only[0]})" if len(phases) > len(only) else ""
        boxes.append(_box({index: layers[index] for index in indices}, shapes, mark))
    places: dict[Any, int] = {root: place for place, root in enumerate(members)}
    edges: dict[tuple[int, int], list[str]] = {}
    for index, blob, maker in (link for read in reads.values() for link in read.links):
        source = owner.get(maker, maker)
        if source not in places:
            places[source] = len(boxes)
            boxes.append(Box(blob, ["no layer makes it"], "data"))
        ends = places[source], places[owner[index]]
        if ends[0] != ends[1] and blob not in edges.setdefault(ends, []):
            edges[ends].append(blob)
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


def _read(layers: dict[int, Any]) -> _Reads:
    found = _Reads([], {})
    makers: dict[str, int] = {}
    readers: Counter[str] = Counter()  # of the blob as it is now
    for index, layer in layers.items():
        found.links.extend((index, blob, makers.get(blob, blob)) for blob in layer.bottom)
        readers.update(layer.bottom)
        tops = list(layer.top)
        if tops == list(layer.bottom) and len(tops) == 1 and readers[tops[0]] == 1:
            if tops[0] in makers:
                found.in_place[index] = makers[tops[0]]
        for blob in tops:
            makers[blob], readers[blob] = index, 0
    return found


def _owners(
    layers: dict[int, Any], chosen: dict[int, dict[int, Any]], reads: dict[int, _Reads]
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


def _box(layers: dict[int, Any], shapes: dict[tuple[int, str], Any], mark: str) -> Box:
    first, *others = layers.values()
    box = Box((first.name or first.type) + mark, [_words(first)], _kind(first))
    box.lines += _wrapped([_words(layer) for layer in others])
    for top in first.top:
        known = [shapes[index, top] for index in layers if (index, top) in shapes]
        text = "x".join(map(str, known[-1] if known else ()))
        if top != first.name or len(first.top) > 1:
            text = f"{top}: {text}" if text else top
        box.lines += [f"→ {text}"] if text else []
    return box


def _wrapped(words: list[str]) -> list[str]:
    """Return lines of about 26 characters: what is done in place."""
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) <= 26:
            lines[-1] += f", {word}"
        else:
            lines.append(f"+ {word}")
    return lines


def _kind(layer: Any) -> str:
    if not layer.bottom:
        return "data"
    is_loss = "Loss" in layer.type or any(layer.loss_weight) or layer.type == "Accuracy"
    return _KINDS.get(layer.type, "loss" if is_loss else "other")


_KINDS = {
    **dict.fromkeys(
        ("Convolution", "Deconvolution", "InnerProduct", "Embed", "LSTM", "RNN"), "filter"
    ),
    **dict.fromkeys(("Pooling", "MaxUnpool", "SPP"), "pooling"),
    # of other Caffes
    **dict.fromkeys(("ConvolutionDepthwise", "DepthwiseConvolution"), "filter"),
    **dict.fromkeys(("InnerProductAsProb", "MarginInnerProduct"), "filter"),
    **dict.fromkeys(("Interp", "PSROIPooling", "ROIPooling", "Upsample"), "pooling"),
    "SegAccuracy": "loss",
}


def _words(layer: Any) -> str:
    """Return the type of a layer and its sizes, in a few words."""
    sizes = _SIZES[layer.type](layer) if layer.type in _SIZES else ""
    return f"{layer.type or '(no type)'} {sizes}".rstrip()


def _filters(layer: Any) -> str:
    param = layer.convolution_param
    group = f" group {param.group}" if param.group > 1 else ""
    return f"{param.num_output} {_window(param)}{group}"


def _choice(param: Any, field: str) -> str:
    """Return the name of an enum's value."""
    values = param.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(values[getattr(param, field)].name)


#: Type of a layer -> what is said of it.
_SIZES: dict[str, Callable[[Any], str]] = {
    "Convolution": _filters,
    "ConvolutionDepthwise": lambda layer: _window(layer.convolution_param),
    "Data": lambda layer: f"batch {layer.data_param.batch_size}",
    "Deconvolution": _filters,
    "DepthwiseConvolution": _filters,
    "Dropout": lambda layer: f"{layer.dropout_param.dropout_ratio:g}",
    "Embed": lambda layer: str(layer.embed_param.num_output),
    "Eltwise": lambda layer: _choice(layer.eltwise_param, "operation"),
    "HDF5Data": lambda layer: f"batch {layer.hdf5_data_param.batch_size}",
    "ImageData": lambda layer: f"batch {layer.image_data_param.batch_size}",
    "InnerProduct": lambda layer: str(layer.inner_product_param.num_output),
    "LRN": lambda layer: str(layer.lrn_param.local_size),
    "LSTM": lambda layer: str(layer.recurrent_param.num_output),
    "MaxUnpool": lambda layer: _window(layer.pooling_param),
    "Pooling": lambda layer: (
        f"{_choice(layer.pooling_param, 'pool')} {_window(layer.pooling_param)}"
    ),
    "RNN": lambda layer: str(layer.recurrent_param.num_output),
    "SPP": lambda layer: f"{_choice(layer.spp_param, 'pool')} {layer.spp_param.pyramid_height}",
    "WindowData": lambda layer: f"batch {layer.window_data_param.batch_size}",
}


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
