"""The nets of a SolverParameter: one to train, any number to test.

Source: Caffe src/caffe/solver.cpp, InitTrainNet and InitTestNets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gcnet_caffe.errors import NetError
from gcnet_caffe.formats._io import read_net
from gcnet_caffe.formats._messages import caffe_pb
from gcnet_caffe.formats.net_state import merged_state
from gcnet_caffe.formats.upgrade import upgrade_net

_TRAIN_FIELDS = ("net", "net_param", "train_net", "train_net_param")


class NetSource(NamedTuple):
    """A NetParameter with its state merged in, and where it comes from."""

    param: Any
    origin: str


def train_net(solver: Any, origin: str) -> NetSource:
    """Return the `NetSource` of the net that `solver` trains.

    Parameters
    ----------
    solver : SolverParameter
    origin : str
        What errors call the solver.

    Raises
    ------
    NetError
        The solver gives no net to train, or more than one.
    """
    given = [field for field in _TRAIN_FIELDS if solver.HasField(field)]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise NetError(f"{origin}: found {found}; wanted one of {', '.join(_TRAIN_FIELDS)}")
    source = _load(getattr(solver, given[0]), origin, given[0])
    source.param.state.CopyFrom(
        merged_state(caffe_pb.TRAIN, source.param.state, solver.train_state)
    )
    return source


def test_nets(solver: Any, origin: str) -> list[NetSource]:
    """Return the `NetSource` of each test net, in the order of the solver's test_iter.

    Raises
    ------
    NetError
        The numbers of test nets, test_iter and test_state do not match, or test_interval is
        missing.
    """
    named = [(text, "test_net_param") for text in solver.test_net_param]
    named += [(path, "test_net") for path in solver.test_net]
    generic = [field for field in ("net_param", "net") if solver.HasField(field)]
    count, wanted = len(solver.test_iter), len(named)
    fits = count == wanted or (count > wanted and generic)
    states, interval = len(solver.test_state), solver.test_interval
    for field, found, holds, expected in (
        ("test_iter", count, fits, f"one for each of {wanted} nets"),
        ("test_state", states, states in (0, count), f"0 or {count}"),
        ("test_interval", interval, interval > 0 or not count, "1 or more"),
    ):
        if not holds:
            raise NetError(f"{origin}: {field}: found {found}, wanted {expected}")
    for field in generic[:1]:
        named += [(getattr(solver, field), field)] * (count - wanted)
    sources = [_load(value, origin, field) for value, field in named]
    for index, source in enumerate(sources):
        own = solver.test_state[index : index + 1]
        source.param.state.CopyFrom(merged_state(caffe_pb.TEST, source.param.state, *own))
    return sources


def _load(value: Any, origin: str, field: str) -> NetSource:
    if isinstance(value, str):
        return NetSource(read_net(value), value)
    param = caffe_pb.NetParameter()
    param.CopyFrom(value)
    upgrade_net(param, f"{origin}: {field}")
    return NetSource(param, f"{origin}: {field}")
