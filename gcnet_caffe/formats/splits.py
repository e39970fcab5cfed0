"""The Split layers that Caffe adds to a net. Source: Caffe src/caffe/util/insert_splits.cpp."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from gcnet_caffe.formats._messages import caffe_pb
from gcnet_caffe.formats.net_state import select_layers

#: Number of a layer, and of one of its tops.
_Top = tuple[int, int]


def with_splits(net: Any, origin: str) -> Any:
    """Return the NetParameter that Caffe sets up: its state's layers, and their Split layers.

    A blob that several layers read, or a layer and a loss_weight, gets a Split layer, and each
    reader a top of it.

    Parameters
    ----------
    net : NetParameter
    origin : str
        What errors call it.

    Raises
    ------
    NetError
        See `net_state.select_layers`.
    """
    found = caffe_pb.NetParameter()
    found.CopyFrom(net)
    layers = select_layers(net, origin)
    found.ClearField("layer")
    found.layer.extend(_split(layers, net.state.phase))
    return found


def _split(layers: Sequence[Any], phase: int) -> Iterator[Any]:
    sources, readers = _readers(layers)
    taken: Counter[_Top] = Counter()
    for number, layer in enumerate(layers):
        for place, name in enumerate(layer.bottom):
            top = sources.get((number, place), (-1, -1))
            if readers[top] > 1:
                layer.bottom[place] = _copy(layers[top[0]].name, name, top[1], taken[top])
                taken[top] += 1
        weights = list(layer.loss_weight)
        splits = []
        for index, name in enumerate(layer.top):
            count = readers[number, index]
            if count > 1:
                split = caffe_pb.LayerParameter(type="Split", phase=phase, bottom=[name])
                split.name = f"{name}_{layer.name}_{index}_split"
                split.top.extend(_copy(layer.name, name, index, copy) for copy in range(count))
                if index < len(weights) and weights[index]:
                    split.loss_weight.extend([weights[index], *[0] * (count - 1)])
                    layer.ClearField("loss_weight")
                    taken[number, index] += 1
                splits.append(split)
        yield layer
        yield from splits


def _readers(layers: Sequence[Any]) -> tuple[dict[_Top, _Top], Counter[_Top]]:
    """Return {(layer, bottom): the top that it reads}, and how often each top is read.

    A loss_weight counts as a reader. What no layer makes is left to the net to refuse.
    """
    made: dict[str, _Top] = {}
    sources: dict[_Top, _Top] = {}
    readers: Counter[_Top] = Counter()
    for number, layer in enumerate(layers):
        for place, name in enumerate(layer.bottom):
            if name in made:
                sources[number, place] = made[name]
                readers[made[name]] += 1
        made.update((name, (number, index)) for index, name in enumerate(layer.top))
        for index, (_, weight) in enumerate(zip(layer.top, layer.loss_weight)):
            if weight:
                readers[number, index] += 1
    return sources, readers


def _copy(layer: str, blob: str, top: int, copy: int) -> str:
    return f"{blob}_{layer}_{top}_split_{copy}"
