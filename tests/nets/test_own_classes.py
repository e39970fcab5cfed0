"""Records of data sets that have some classes only: they compete among these."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import gcnet_caffe.pycaffe
from gcnet_caffe.cli import main
from gcnet_caffe.errors import UsageError
from gcnet_caffe.nets import losses
from gcnet_caffe.nets.gcnet import build
from gcnet_caffe.nets.options import NetOptions
from gcnet_caffe.nets.writer import NetWriter

SCRIPT = Path(__file__).with_name("own_classes.py")
OWN = (1, 4)


def write_case(folder, neutral_class):
    """Write a net of the classification loss alone, and its inputs; return these and the options.

    Half of the records have raised labels; without a class neutral some are neutral, and ignored.
    """
    options = NetOptions(num_classes=5, neutral_class=neutral_class, partial_labels="1,4")
    count = options.neutral_label + 1
    labels = np.array([*range(5), 1, 4, 1, 4, *([] if neutral_class else [5, 5])])
    raised = np.array([0] * 5 + [1] * 4 + ([] if neutral_class else [0, 1]))
    net = NetWriter("own_classes")
    for name, shape in (("score", (len(labels), 5)), ("label", labels.shape)):
        net.add(name, "Input", input_param={"shape": [{"dim": shape}]})
    whole, partial = losses.whole_label(net, "label", options)
    score = losses.among_own_classes(net, "score", partial, options)
    losses.classification_loss(net, score, whole, options.ignored_label)
    text = "force_backward: true\n" + net.text()
    (folder / "net.prototxt").write_text(text)
    scores = np.random.default_rng(3).normal(0, 3, (len(labels), 5)).astype(np.float32)
    np.savez(folder / "given.npz", score=scores, label=labels + count * raised)
    return scores.astype(np.float64), labels, raised


def expected(scores, labels, raised):
    """The loss, and its gradient in the scores: softmax minus one-hot, over one's own classes."""
    own = np.array([[k in OWN or not one for k in range(5)] for one in raised])
    kept = labels < 5
    powers = np.where(own, np.exp(scores), 0)
    prob = powers / powers.sum(1, keepdims=True)
    wanted = np.eye(5)[np.minimum(labels, 4)]
    gradient = np.where(kept[:, None], prob - wanted, 0) / kept.sum()
    return -np.log(prob[kept, labels[kept]]).mean(), gradient, own


def check(folder, case):
    loss, gradient, own = expected(*case)
    with np.load(folder / "found.npz") as found:
        assert found["loss_classification"] == pytest.approx(loss, rel=1e-5)
        # of order 0.1; float32 rounds the scores, up to 10, by 1e-6 in the exponent
        np.testing.assert_allclose(found["gradient"], gradient, atol=1e-6)
        assert (found["gradient"][~own] == 0).all() and (~own).sum() >= 12


@pytest.mark.parametrize("neutral_class", [True, False])
def test_the_softmax_is_over_their_own_classes(tmp_path, monkeypatch, neutral_class):
    case = write_case(tmp_path, neutral_class)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "caffe", gcnet_caffe.pycaffe)
    runpy.run_path(str(SCRIPT))
    check(tmp_path, case)


@pytest.mark.caffe
@pytest.mark.parametrize("neutral_class", [True, False])
def test_in_real_caffe_too(caffe, tmp_path, neutral_class):
    case = write_case(tmp_path, neutral_class)
    caffe.run_python(SCRIPT, tmp_path)
    check(tmp_path, case)


def test_the_other_losses_see_whole_labels():
    options = NetOptions(num_classes=8, neutral_class=True, partial_labels="4,7")
    layers = {layer.name: layer for layer in build("S1R1", options).net.layer}
    assert layers["similar"].bottom == ["whole_label"]
    assert layers["loss_classification"].bottom == ["own_score", "whole_label"]
    deploy = build("S1R1", options, deploy=True).text()
    assert deploy == build("S1R1", NetOptions(num_classes=8), deploy=True).text()


def test_labels_that_are_no_classes(tmp_path, capsys):
    for text, message in (("4;7", "wanted labels, such as 4,7"), ("4,8", "wanted labels below 8")):
        with pytest.raises(UsageError, match=message):
            NetOptions(num_classes=8, partial_labels=text)
    words = ["make-net", "--num-classes", "8", "--partial-labels", "9", "-o", str(tmp_path)]
    assert main(words) == 2
    assert "--partial-labels 9: wanted labels below 8" in capsys.readouterr().err
