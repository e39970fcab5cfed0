"""Every layer of another Caffe against a float64 evaluation of its formula; and breaks of it."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from gcnet_caffe.engine.layers import Context, base, forks
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.shapes import top_shapes
from gcnet_caffe.formats.weights import has_weights
from tests.engine.forks import reference
from tests.engine.forks.cases import CASES
from tests.engine.parity import mutations
from tests.engine.parity.run import Arrays, given, opened, wrong

WAYS = ("layer", "training")


@functools.cache
def wanted(index: int) -> Arrays:
    """Return {name: array} of a case, as parity's by_engine names them."""
    case = CASES[index]
    blobs, diffs = given(case, opened(case))
    layer = case.layers()[0]
    doubles = [[np.asarray(one, np.float64) for one in many] for many in (case.bottoms, blobs)]
    call = reference.Call(layer, *doubles, case.phase, case.tops)
    tops = reference.run(call)
    found: Arrays = {f"t{i}": top for i, top in enumerate(tops)}
    found.update((f"blob{k}", blob) for k, blob in enumerate(call.blobs))
    if case.backward:
        call.blobs[:] = [np.asarray(one, np.float64) for one in blobs]
        weight = list(layer.loss_weight) or [1.0]
        seeds = [np.asarray(diff, np.float64) for diff in diffs] or [np.array(weight[0])]
        special = reference.GRADIENTS.get(layer.type, lambda *_: {})(call, seeds)
        found.update(reference.differences(call, seeds, case.labels))
        found.update(special)
    return found


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case.name for case in CASES])
def test_layer(index: int) -> None:
    found = {way: wrong(CASES[index], wanted(index), way) for way in WAYS}
    assert found == {way: {} for way in WAYS}


def test_no_break_survives() -> None:
    """One of each top, gradient and changed blob of each class, in each way."""
    found: mutations.Counts = {}
    for index, case in enumerate(CASES):
        kind = opened(case).layers[-1].layer_type
        for broken in mutations.breaks_of(case, wanted(index)):
            for way in WAYS:
                counts = found.setdefault((kind, broken.words, way), [0, 0])
                if not counts[1]:
                    counts[0] += mutations.is_red(broken, case, wanted(index), way)
                    counts[1] += 1
    assert mutations.survivors(found) == []
    assert {kind for kind, _, _ in found} == {one.layer_type for one in _classes()}


def _classes() -> set[type]:
    """Return the layers of the package, but DenseImageData, which has no bottoms."""
    classes = {*base._REGISTRY.values()}
    classes.update(one for many in base._NAMESAKES.values() for _, one in many)
    mine = {one for one in classes if one.__module__.startswith(forks.__name__)}
    return {one for one in mine if not one.is_source}


def test_every_layer_says_whose_it_is_and_has_a_case() -> None:
    for one in _classes():
        assert "\n    Source: " in (one.__doc__ or ""), one
    assert {opened(case).layers[-1].layer_type for case in CASES} == {
        one.layer_type for one in _classes()
    }


def test_shapes_are_those_of_the_tops() -> None:
    for index, case in enumerate(CASES):
        param = case.layers()[0]
        shapes = top_shapes(param, [bottom.shape for bottom in case.bottoms], case.tops)
        assert shapes == [wanted(index)[f"t{i}"].shape for i in range(case.tops)], case.name


def test_which_layers_have_weights_is_known_without_the_engine() -> None:
    for case in CASES:
        (layer,) = (one for one in opened(case).layers if one.name == "layer")
        assert has_weights(layer.param) == bool(len(layer.blobs)), case.name


#: Types that compute in place what they compute apart; the others are refused.
IN_PLACE = "ReLU6 SeLu SeLuDropout Insanity Dropout BN BatchNorm Normalize".split()


def test_which_layers_can_be_in_place() -> None:
    """By their sources: a forward that writes its top before it has read its bottom cannot."""
    for case in CASES:
        net = case.net()
        (layer,) = (one for one in net.layer if one.name == "layer")
        layer.top[0] = "b0"
        try:
            Net(net, Context(phase=caffe_pb.TRAIN, rng=CaffeRng(1)))
            assert layer.type in IN_PLACE or case.name.startswith("Permute[permute_param { }]")
        except NetError as error:
            assert layer.type not in IN_PLACE and "in place" in str(error), case.name
