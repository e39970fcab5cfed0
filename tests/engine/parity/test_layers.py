"""Every layer of the engine against real Caffe, forward and backward."""

import pytest

from gcnet_caffe.engine.caffe_order.blas import use_one_thread
from gcnet_caffe.engine.layers import layer_types
from tests.engine.parity.cases import CASES
from tests.engine.parity.run import by_caffe, compare, has_rule, unequal


@pytest.fixture(scope="module")
def theirs(caffe, tmp_path_factory):
    return by_caffe(caffe, tmp_path_factory.mktemp("cases"))


@pytest.mark.caffe
@pytest.mark.parametrize("index", range(len(CASES)), ids=[case.name for case in CASES])
def test_layer(index, theirs):
    results = compare(CASES[index], theirs[index])
    failed = {name: found for name, found in results.items() if not found[1]}
    assert not failed


RULED = [index for index, case in enumerate(CASES) if has_rule(case)]


@pytest.mark.caffe
@pytest.mark.parametrize("index", RULED, ids=[CASES[index].name for index in RULED])
def test_layer_in_caffes_order(index, theirs):
    use_one_thread()
    assert unequal(CASES[index], theirs[index]) == {}


def test_every_layer_type_has_a_case():
    sources = {"Data", "DummyData", "Input"}  # tests/engine/test_seed_exact.py
    assert {case.type for case in CASES} == set(layer_types()) - sources


def test_names_are_distinct():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
