"""Engines: one call, Caffe's blobs."""

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.net import open_trained
from gcnet_caffe.engine.weights import write_caffemodel
from gcnet_caffe.errors import NetError, UsageError, WeightsError
from gcnet_caffe.evaluation.evaluation import forward
from gcnet_caffe.inference.network import ENGINES, open_network
from tests.engine.parity.run import error
from tests.recognition.models import CLASSES, NEAR, OTHERS, opened, untrained
from tests.scratch import ROOT

QUERY = np.random.default_rng(0).random((5, 1, 64, 64), np.float32)


@pytest.mark.parametrize("variant", ["S1R1", "cnn"])
def test_what_a_network_gives(variant, tmp_path):
    model = untrained(tmp_path, variant)
    shapes = {"feature": (5, 384), "prob": (5, len(CLASSES))}
    if variant == "S1R1":
        shapes.update(generated_reference=(5, 1, 64, 64), delta=(5, 96 * 8 * 8))
    found = opened("torch", model).forward({"query": QUERY})
    assert {blob: array.shape for blob, array in found.items()} == shapes
    assert all(array.dtype == np.float32 for array in found.values())
    np.testing.assert_allclose(found["prob"].sum(1), 1, atol=1e-6)  # sums of seven float32


def test_fused_and_in_another_format_it_gives_the_net_s_own_blobs(tmp_path):
    model = untrained(tmp_path)
    net = open_trained(model.net, model.weights)
    with torch.no_grad():
        plain = net.blobs({"query": torch.from_numpy(QUERY)})
    for blob, values in opened("torch", model).forward({"query": QUERY}).items():
        assert error(values, plain[blob].numpy()) <= NEAR, blob


def test_a_face_does_not_depend_on_its_batch(tmp_path):
    net = opened("torch", untrained(tmp_path))
    alone, together = net.forward({"query": QUERY[:1]}), net.forward({"query": QUERY})
    for blob, values in alone.items():
        assert error(values[0], together[blob][0]) <= NEAR, blob


def test_an_unknown_engine_is_misuse(tmp_path):
    names = "torch, caffe, onnxruntime, opencv"
    with pytest.raises(UsageError, match=f"engine: found 'tensorflow', wanted one of {names}"):
        opened("tensorflow", untrained(tmp_path))


def test_any_net_s_blobs_layer_by_layer(tmp_path):
    """Not fused, they are the engine's own to the last bit; any number of images at a time."""
    model = untrained(tmp_path)
    blobs = ["enc1_pool1", "prob"]
    net = open_network("torch", model.net, model.weights, blobs)
    assert net.inputs == ("query",) and net.outputs == tuple(blobs)
    plain = open_trained(model.net, model.weights)
    with torch.no_grad():
        wanted = [plain.blobs({"query": torch.from_numpy(part)}) for part in (QUERY[:3], QUERY[3:])]
    for blob, found in net.forward_all({"query": QUERY}, 3).items():
        np.testing.assert_array_equal(found, np.concatenate([part[blob] for part in wanted]))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_blob_that_the_net_lacks_is_one_line(engine, tmp_path):
    model = untrained(tmp_path)
    with pytest.raises(NetError, match="no blob 'prib'"):
        open_network(engine, model.net, model.weights, ["prib"])


@pytest.mark.parametrize("engine", ENGINES)
def test_weights_of_another_net_are_refused(engine, tmp_path):
    """Before the engine is opened: Caffe and OpenCV would run the net with random weights."""
    other = ROOT / "prototxt/pretrain_identity_deploy.prototxt"
    write_caffemodel(open_trained(other, None), tmp_path / "other.caffemodel")
    net = untrained(tmp_path).net
    wanted = f"other.caffemodel: no weights of layer 'enc1_conv1', which {net} has, and of 19 more"
    with pytest.raises(WeightsError, match=wanted):
        open_network(engine, net, tmp_path / "other.caffemodel", ["prob"])


def test_a_net_without_inputs_is_no_deploy_net(tmp_path):
    model = untrained(tmp_path)
    (tmp_path / "net").write_text(model.net.read_text().replace('"Input"', '"DummyData"'))
    with pytest.raises(NetError, match="no layer of type Input; wanted a deploy net"):
        open_network("opencv", tmp_path / "net", model.weights, ["prob"])


@pytest.mark.parametrize("net", ["ck_metric", "pretrain_identity"])
@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_any_inputs_as_evaluate_gives_them(engine, net, tmp_path):
    """Two inputs, or one of another name: channels of the images of an LMDB."""
    path, weights = ROOT / f"prototxt/{net}_deploy.prototxt", tmp_path / "weights.caffemodel"
    filled = open_trained(path, None, seed=1)
    write_caffemodel(filled, weights)
    images = np.random.default_rng(2).random((40, 2, 64, 64), np.float32)
    wanted = forward(open_network("torch", path, weights, filled.outputs), images)
    found = forward(open_network(engine, path, weights, filled.outputs), images)
    assert list(found) == list(wanted) == filled.outputs
    for blob, values in wanted.items():
        assert len(values) == 40 and error(found[blob], values) <= NEAR, blob
