"""Which layers a net has, and which blob each of them reads, without running anything."""

import pytest

from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb, parse_text
from gcnet_caffe.formats.net_state import merged_state, select_layers
from gcnet_caffe.formats.wiring import Wiring


def selected(text, phase=caffe_pb.TRAIN, level=0, stages=()):
    net = parse_text(text, caffe_pb.NetParameter)
    net.state.CopyFrom(caffe_pb.NetState(phase=phase, level=level, stage=stages))
    return [layer.name for layer in select_layers(net, "net.prototxt")]


RULES = """
layer { name: "always" }
layer { name: "train" include { phase: TRAIN } }
layer { name: "not_train" exclude { phase: TRAIN } }
layer { name: "levels" include { min_level: 1 max_level: 2 } }
layer { name: "both_stages" include { stage: "a" stage: "b" } }
layer { name: "without" include { not_stage: "a" phase: TEST } }
layer { name: "either" include { stage: "a" } include { phase: TEST } }
"""


@pytest.mark.parametrize(
    "state, names",
    [
        ({}, ["always", "train"]),
        ({"phase": caffe_pb.TEST}, ["always", "not_train", "without", "either"]),
        ({"level": 1}, ["always", "train", "levels"]),
        ({"level": 3}, ["always", "train"]),
        ({"stages": ["a"]}, ["always", "train", "either"]),
        ({"stages": ["b", "a"]}, ["always", "train", "both_stages", "either"]),
        ({"stages": ["a"], "phase": caffe_pb.TEST}, ["always", "not_train", "either"]),
    ],
)
def test_rules_of_phase_level_and_stage(state, names):
    assert selected(RULES, **state) == names


def test_include_and_exclude_together_are_refused():
    text = 'layer { name: "x" include { phase: TRAIN } exclude { phase: TEST } }'
    with pytest.raises(NetError, match="net.prototxt: layer 'x': has include rules and exclude"):
        selected(text)


def test_the_phase_of_the_net_is_filled_in_where_a_layer_has_none():
    text = 'state { phase: TRAIN } layer { name: "a" } layer { name: "b" phase: TEST }'
    net = parse_text(text, caffe_pb.NetParameter)
    assert [layer.phase for layer in select_layers(net, "net")] == [caffe_pb.TRAIN, caffe_pb.TEST]
    assert not net.layer[0].HasField("phase"), "the caller's net stays as it is"


def test_later_states_win():
    first = caffe_pb.NetState(level=3, stage=["a"])
    merged = merged_state(caffe_pb.TRAIN, first, caffe_pb.NetState(phase=caffe_pb.TEST))
    assert (merged.phase, merged.level, list(merged.stage)) == (caffe_pb.TEST, 3, ["a"])


def wire(*layers):
    wiring, found = Wiring("net.prototxt"), []
    for text in layers:
        layer = parse_text(text, caffe_pb.LayerParameter)
        found.append((wiring.bottoms(layer), wiring.tops(layer, len(layer.top))))
    return wiring, found


def test_an_in_place_top_gets_a_number_of_its_own():
    wiring, found = wire(
        'name: "source" top: "x"',
        'name: "in_place" bottom: "x" top: "x"',
        'name: "after" bottom: "x" top: "z"',
        'name: "too" bottom: "x" top: "y"',
    )
    assert found == [((), (0,)), ((0,), (1,)), ((1,), (2,)), ((1,), (3,))]
    assert wiring.names == ["x", "x", "z", "y"]
    assert wiring.outputs() == [3, 2]


def test_an_in_place_layer_on_a_blob_that_another_reads_is_refused():
    """See test_in_place.py for what real Caffe does."""
    wanted = r"'x' produced by multiple sources .layer 'l': in place, but layer 'before' reads 'x'"
    with pytest.raises(NetError, match=wanted):
        wire('top: "x"', 'name: "before" bottom: "x"', 'name: "l" bottom: "x" top: "x"')


def test_outputs_are_sorted_by_name():
    wiring, _ = wire('name: "source" top: "b" top: "a" top: "c"', 'bottom: "c" top: "B"')
    assert [wiring.names[number] for number in wiring.outputs()] == ["B", "a", "b"]


def test_an_unknown_bottom_is_refused():
    with pytest.raises(NetError, match="Unknown bottom blob 'x' .layer 'l', bottom index 1"):
        wire('top: "y"', 'name: "l" bottom: "y" bottom: "x"')


def test_a_top_of_two_layers_is_refused():
    with pytest.raises(NetError, match="Top blob 'x' produced by multiple sources"):
        wire('top: "x"', 'name: "again" top: "x"')
