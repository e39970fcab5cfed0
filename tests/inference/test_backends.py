"""Back ends: one call, Caffe's blobs."""

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.layers import TEST
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import copy_weights
from gcnet_caffe.errors import UsageError
from gcnet_caffe.inference.backends import BACKENDS, open_backend
from tests.engine.parity.run import error
from tests.recognition.models import CLASSES, NEAR, untrained

QUERY = np.random.default_rng(0).random((5, 1, 64, 64), np.float32)


@pytest.mark.parametrize("variant", ["S1R1", "cnn"])
def test_what_a_network_gives(variant, tmp_path):
    model = untrained(tmp_path, variant)
    shapes = {"feature": (5, 384), "prob": (5, len(CLASSES))}
    if variant == "S1R1":
        shapes.update(generated_reference=(5, 1, 64, 64), delta=(5, 96 * 8 * 8))
    found = open_backend("torch", model).forward(QUERY)
    assert {blob: array.shape for blob, array in found.items()} == shapes
    assert all(array.dtype == np.float32 for array in found.values())
    np.testing.assert_allclose(found["prob"].sum(1), 1, atol=1e-6)  # sums of seven float32


def test_fused_and_in_another_format_it_gives_the_net_s_own_blobs(tmp_path):
    model = untrained(tmp_path)
    net = open_net(model.net, TEST, CaffeRng(0))
    copy_weights(net, model.weights, print)
    with torch.no_grad():
        plain = net.blobs({"query": torch.from_numpy(QUERY)})
    for blob, values in open_backend("torch", model).forward(QUERY).items():
        assert error(values, plain[blob].numpy()) <= NEAR, blob


def test_a_face_does_not_depend_on_its_batch(tmp_path):
    net = open_backend("torch", untrained(tmp_path))
    alone, together = net.forward(QUERY[:1]), net.forward(QUERY)
    for blob, values in alone.items():
        assert error(values[0], together[blob][0]) <= NEAR, blob


def test_an_unknown_back_end_is_misuse(tmp_path):
    with pytest.raises(UsageError, match="back end: found 'tensorflow', wanted one of torch"):
        open_backend("tensorflow", untrained(tmp_path))
    assert list(BACKENDS)[0] == "torch"
