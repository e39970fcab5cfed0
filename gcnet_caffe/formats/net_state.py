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
        if layer.include and layer.exclude:
            raise NetError(
                f"{origin}: layer {layer.name!r}: has include rules and exclude rules; wanted one "
                "kind or the other"
            )
        rules = layer.include or layer.exclude
        met = any(_meets(net.state, rule) for rule in rules)
        if met if layer.include else not met:
            copy = caffe_pb.LayerParameter()
            copy.CopyFrom(layer)
            if not copy.HasField("phase"):
                copy.phase = net.state.phase
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
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    stages = set(state.stage)
    return stages.issuperset(rule.stage) and stages.isdisjoint(rule.not_stage)
