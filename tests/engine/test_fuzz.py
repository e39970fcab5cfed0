"""Changed prototxts and caffemodels: a result or one line, never a traceback or a hang."""

import math
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gcnet_caffe.engine.layers import TRAIN, layer_types
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import copy_weights, write_caffemodel
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import to_text
from tests.engine.forks import cases as forks
from tests.engine.parity.cases import CASES

FEW = settings(max_examples=150, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=10000, derandomize=False, suppress_health_check=list(HealthCheck))

WORDS = [
    "0",
    "-1",
    "1",
    "2",
    "7",
    "1e30",
    "nan",
    "2147483647",
    '"x"',
    '"t0"',
    "true",
    "{",
    "}",
    "TEST",
]
WORDS += [f'"{name}"' for name in layer_types()] + [
    "axis: 9",
    "pad: 3",
    "kernel_size: 0",
    "shape {",
]
TEXTS = [to_text(case.net()) for case in [*CASES, *forks.CASES]]


@st.composite
def changed_nets(draw):
    """A net of the parity cases with some words put in the place of others, or left out."""
    words = draw(st.sampled_from(TEXTS)).split()
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(words) - 1))
        words[place] = draw(st.sampled_from([*WORDS, ""]) | st.sampled_from(words))
    return " ".join(words)


def try_net(text, folder):
    (folder / "fuzzed.prototxt").write_text(text)
    try:
        net = open_net(folder / "fuzzed.prototxt", TRAIN, CaffeRng(1))
        if sum(map(math.prod, net.blob_shapes)) < 1e6:
            loss, _ = net()
            if hasattr(loss, "backward") and loss.requires_grad:
                loss.backward()
    except GcnetError as error:
        assert str(error) and "\n" not in str(error)


@given(text=changed_nets())
@FEW
def test_some_changed_nets(text, tmp_path_factory):
    try_net(text, tmp_path_factory.getbasetemp())


@pytest.mark.slow
@given(text=changed_nets())
@MANY
def test_many_changed_nets(text, tmp_path_factory):
    try_net(text, tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    case = next(case for case in CASES if case.type == "Convolution")
    (folder / "net.prototxt").write_text(to_text(case.net()))
    net = open_net(folder / "net.prototxt", TRAIN, CaffeRng(1))
    write_caffemodel(net, str(folder / "whole.caffemodel"))
    return folder, net, (folder / "whole.caffemodel").read_bytes()


def try_weights(changes, cut, weights):
    folder, net, whole = weights
    data = bytearray(whole)
    for place, value in changes:
        data[place % len(data)] = value
    path = folder / "changed.caffemodel"
    path.write_bytes(bytes(data[: len(data) - cut]))
    try:
        copy_weights(net, str(path), lambda text: None)
    except GcnetError as error:
        assert str(error) and "\n" not in str(error)
    finally:
        os.unlink(path)


CHANGES = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6)


@given(changes=CHANGES, cut=st.integers(0, 200))
@FEW
def test_some_changed_caffemodels(changes, cut, weights):
    try_weights(changes, cut, weights)


@pytest.mark.slow
@given(changes=CHANGES, cut=st.integers(0, 200))
@MANY
def test_many_changed_caffemodels(changes, cut, weights):
    try_weights(changes, cut, weights)
