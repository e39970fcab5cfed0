"""`gcnet test` prints the lines of `caffe test`, on nets without an LMDB, too."""

import re

import numpy as np
import pytest

from gcnet_caffe import cli
from gcnet_caffe.formats import caffe_pb

_SCORE = """
layer { name: "score" type: "InnerProduct" bottom: "x" top: "score"
  inner_product_param { num_output: 3 } }
"""
_DUMMY = """
layer { name: "dummy" type: "DummyData" top: "x" top: "label" dummy_data_param {
  shape { dim: 2 dim: 4 } shape { dim: 2 }
  data_filler { type: "constant" value: 0.3 } data_filler { type: "constant" value: 1 } } }
"""
_OUTPUTS = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
  loss_weight: 0.7 }
layer { name: "other" type: "EuclideanLoss" bottom: "score" bottom: "score" top: "nought" }
layer { name: "prob" type: "Softmax" bottom: "score" top: "prob" }
layer { name: "a" type: "Accuracy" bottom: "score" bottom: "label" top: "a_right" top: "by_class" }
"""
NETS = {
    "dummy_data": _DUMMY + _SCORE + _OUTPUTS,
    "input": 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 } } }'
    + _SCORE,
    "no_outputs": _DUMMY
    + _SCORE
    + 'layer { name: "s" type: "Silence" bottom: "score" bottom: "label" }',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scoring")
    for name, text in NETS.items():
        (folder / f"{name}.prototxt").write_text(text)
    weights = caffe_pb.NetParameter()
    layer = weights.layer.add(name="score", type="InnerProduct")
    rng = np.random.default_rng(0)
    for shape in ((3, 4), (3,)):
        blob = layer.blobs.add()
        blob.shape.dim.extend(shape)
        blob.data.extend(rng.standard_normal(int(np.prod(shape))).astype(np.float32).tolist())
    (folder / "w.caffemodel").write_bytes(weights.SerializeToString())
    return folder


def lines(log):
    """The texts of a log from 'Running for' on."""
    texts = re.findall(r"^I\d{4} .*?\] (.*)$", log, re.M)
    return texts[next(i for i, text in enumerate(texts) if text.startswith("Running for")) :]


@pytest.mark.caffe
def test_the_lines_are_those_of_caffe_test(caffe, folder, capfd, monkeypatch):
    monkeypatch.chdir(folder)
    words = "caffe test -weights w.caffemodel -iterations 2 -model"
    each = "; ".join(f"{words} {name}.prototxt 2> {name}.log || exit 1" for name in NETS)
    caffe.run(["sh", "-c", each], folder, GLOG_logtostderr="1")
    for name in NETS:
        capfd.readouterr()
        model = ["-model", f"{name}.prototxt", "-weights", "w.caffemodel"]
        assert cli.main(["test", *model, "-iterations", "2"]) == 0
        assert lines(capfd.readouterr().err) == lines((folder / f"{name}.log").read_text()), name


def test_a_net_of_dummy_data_is_scored(folder, capfd, monkeypatch):
    monkeypatch.chdir(folder)
    assert (
        cli.main("test -model dummy_data.prototxt -weights w.caffemodel -iterations 3".split()) == 0
    )
    found = lines(capfd.readouterr().err)
    batches = [float(v) for v in re.findall(r"Batch \d, loss = (\S+)", "\n".join(found))]
    assert len(batches) == 3
    loss = next(text for text in found if text.startswith("Loss: "))
    assert float(loss[6:]) == pytest.approx(0.7 * np.mean(batches), rel=1e-5)


def test_a_net_without_a_layer_in_the_phase_is_refused(folder, capfd, monkeypatch):
    """Real Caffe aborts there."""
    monkeypatch.chdir(folder)
    text = 'layer { name: "x" type: "ReLU" bottom: "x" top: "x" include { phase: TRAIN } }'
    (folder / "none.prototxt").write_text(text)
    assert cli.main("test -model none.prototxt -weights w.caffemodel".split()) == 1
    assert "none.prototxt: no layer in phase TEST; Caffe" in capfd.readouterr().err
