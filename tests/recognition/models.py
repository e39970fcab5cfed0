"""Models and pictures to test with: untrained networks, rendered faces."""

from pathlib import Path

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.layers import TRAIN
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import write_caffemodel
from gcnet_caffe.inference.model import make_model, model_facts
from gcnet_caffe.inference.network import ENGINES, open_network
from gcnet_caffe.rendering.sequence import render_sequence
from gcnet_caffe.rendering.subject import draw_subject
from tests.scratch import ROOT

#: How far a blob may be off the same net's by another order of float32 sums, of its largest number.
NEAR = 1e-5
CLASSES = ("anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")
#: The engines beside torch, for `@pytest.mark.parametrize("engine", OTHERS, indirect=True)`.
OTHERS = [
    pytest.param(name, marks=[pytest.mark.caffe] if name == "caffe" else [])
    for name in ENGINES
    if name != "torch"
]


def untrained(folder, variant="S1R1", seed=1):
    """The committed deploy net of a variant, with its fillers' weights in `folder`.

    The statistics of its BatchNorms are those of random images.
    """
    net = ROOT / f"prototxt/ck_{variant}_deploy.prototxt"
    weights = Path(folder) / f"{variant}.caffemodel"
    engine = open_net(net, TRAIN, CaffeRng(seed))
    images = np.random.default_rng(seed).random((8, 1, 64, 64), np.float32)
    with torch.no_grad():
        engine.forward({"query": torch.from_numpy(images)})
    write_caffemodel(engine, weights)
    return make_model(net, weights, model_facts(f"gcnet_{variant}_deploy", CLASSES, {}))


def opened(engine, model):
    """The network of a `TrainedModel` as `Recognizer` opens it."""
    return open_network(engine, model.net, model.weights, model.outputs, fast=True)


def one(faces):
    """The only one of `faces`."""
    assert len(faces) == 1
    return faces[0]


def rendered(seed, expression="happy", size=(240, 240), frame=-1):
    """A rendered face at its peak, or of `frame` 0 neutral; (height, width) of grey uint8."""
    rng = np.random.default_rng(seed)
    return list(render_sequence(draw_subject(rng), expression, 4, size, rng))[frame][0]
