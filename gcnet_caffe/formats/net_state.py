"""Which layers of a NetParameter a net has: its state, and the layers' rules.

Source: Caffe src/caffe/net.cpp, FilterNet and StateMeetsRule.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gcnet_caffe.errors import NetError
from gcnet_caffe.formats._io import read_net
from gcnet_caffe.formats._messages import caffe_pb


def merged_state(phase: int, *states: Any) -> Any:
    """Return the NetState of `phase` with `states` merged in, the last having precedence."""
    merged = caffe_pb.NetState(phase=phase)
    for state in states:
        merged.MergeFrom(state)
    return merged


def is_included(layer: Any, state: Any, origin: str) -> bool:
    """Return whether a net of the NetState `state` has the LayerParameter `layer`.

    Raises
    ------
    NetError
        The layer has include rules and exclude rules.
    """
    if layer.include and layer.exclude:
        raise NetError(
            f"{origin}: layer {layer.name!r}: has include rules and exclude rules; wanted one "
            "kind or the other"
        )
    met = any(_meets(state, rule) for rule in layer.include or layer.exclude)
    return met if layer.include else not met


def select_layers(net: Any, origin: str) -> list[Any]:
    """Return copies of the layers of `net` whose rules its `state` meets, phase filled in.

    Parameters
    ----------
    net : NetParameter
    origin : str
        What errors call the net.

    Raises
    ------
    NetError
        A layer has include rules and exclude rules.
    """
    chosen = []
    for layer in net.layer:
        if is_included(layer, net.state, origin):
            copy = caffe_pb.LayerParameter(phase=net.state.phase)
            copy.MergeFrom(layer)
            chosen.append(copy)
    return chosen


def layers_in_test(path: str | Path) -> list[Any]:
    """Return the layers of the prototxt `path` that its net has in Caffe's TEST phase.

    Raises
    ------
    SchemaError
        The file cannot be read.
    NetError
        As `select_layers`.
    """
    net = read_net(path)
    net.state.CopyFrom(merged_state(caffe_pb.TEST, net.state))
    return select_layers(net, str(path))


def _meets(state: Any, rule: Any) -> bool:
    stages = set(state.stage)
    return (
        (not rule.HasField("phase") or state.phase == rule.phase)
        and (not rule.HasField("min_level") or state.level >= rule.min_level)
        and (not rule.HasField("max_level") or state.level <= rule.max_level)
        and stages.issuperset(rule.stage)
        and stages.isdisjoint(rule.not_stage)
    )
