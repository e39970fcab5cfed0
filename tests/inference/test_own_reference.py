"""A net that is given its reference is the net `metric`, which never had a generator."""

import numpy as np
import pytest

from gcnet_caffe.errors import UsageError
from gcnet_caffe.inference.network import open_network
from gcnet_caffe.inference.own_reference import open_with_own_reference
from tests.recognition.models import NEAR, OTHERS, untrained
from tests.scratch import ROOT

OUTPUTS = ("delta", "feature", "prob")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def pairs():
    images = np.random.default_rng(0).random((2, 5, 1, 64, 64), np.float32)
    return {"query": images[0], "reference": images[1]}


@pytest.fixture(scope="module")
def wanted(model, pairs):
    net = open_network("torch", ROOT / "prototxt/ck_metric_deploy.prototxt", model.weights, OUTPUTS)
    return net.forward(pairs)


def test_it_is_the_net_that_compares_pairs(model, pairs, wanted):
    net = open_with_own_reference("torch", model.net, model.weights, OUTPUTS)
    assert sorted(net.inputs) == ["query", "reference"] and "generated_reference" not in net.made_by
    found = net.forward(pairs)
    for blob in OUTPUTS:
        np.testing.assert_array_equal(found[blob], wanted[blob])


@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_it_runs_in_every_engine(engine, model, pairs, wanted):
    net = open_with_own_reference(engine, model.net, model.weights, OUTPUTS, fast=True)
    found = net.forward(pairs)
    for blob in OUTPUTS:
        np.testing.assert_allclose(
            found[blob], wanted[blob], atol=NEAR * abs(wanted[blob]).max(), err_msg=blob
        )


@pytest.mark.parametrize("variant", ["S0R0", "S1R1_vae", "S1R1_dcgan"])
def test_whatever_generated_the_reference(variant, pairs, tmp_path):
    model = untrained(tmp_path, variant)
    generated = open_network("torch", model.net, model.weights, ("generated_reference", *OUTPUTS))
    first = generated.forward({"query": pairs["query"]})
    net = open_with_own_reference("torch", model.net, model.weights, OUTPUTS)
    again = net.forward({"query": pairs["query"], "reference": first["generated_reference"]})
    other = net.forward(pairs)
    for blob in OUTPUTS:
        np.testing.assert_array_equal(again[blob], first[blob])
    assert abs(other["delta"] - first["delta"]).max() > 0.01


def test_a_net_without_a_reference_is_one_line(tmp_path):
    model = untrained(tmp_path, "cnn")
    with pytest.raises(UsageError, match="cnn_deploy.prototxt: no blob .generated_reference"):
        open_with_own_reference("torch", model.net, model.weights, ("prob",))
