"""A run whose training starts from another one."""

import json

import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.formats import caffe_pb, read_binary
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.recognition.find_model import open_model
from tests.experiment.small_run import run, write_experiment

BEFORE, AFTER = "start/default/cnn/seed1", "nets/default/cnn/fold0/seed1"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a run, what it printed, and its log; its second training hardly learns."""
    folder = tmp_path_factory.mktemp("start")
    faces = "make-faces --kind 2d --subjects 4 --frames 4 --size 96 --workers 1"
    assert main([*faces.split(), "-o", str(folder / "faces")]) == 0
    data = {"reader": "ck", "root": str(folder / "faces")}
    experiment = write_experiment(
        folder,
        data=data,
        variants=["cnn"],
        only=[0],
        pretrain=None,
        baselines=[],
        sequences=None,
        solver={"max_iter": 1, "base_lr": 1e-12, "display": 1, "test_interval": 1},
        start={
            "data": data,
            "held_out": 0.25,
            "copies": 2,
            "solver": {"max_iter": 4, "base_lr": 0.001},
        },
    )
    out, err = run(experiment, "-o", "run", "--cores", 2, cwd=folder)
    return folder / "run", out, err


def weights(folder):
    """{layer: its first blob}, without BatchNorm, which adds up what it saw."""
    net = read_binary(folder / "weights.caffemodel", caffe_pb.NetParameter)
    layers = [layer for layer in net.layer if layer.blobs and layer.type != "BatchNorm"]
    return {layer.name: np.array(layer.blobs[0].data) for layer in layers}


def test_a_fold_has_the_weights_of_the_start(finished):
    folder, _, err = finished
    before, after = weights(folder / BEFORE), weights(folder / AFTER)
    assert before.keys() == after.keys() and len(before) > 3
    for name in before:  # an iteration at a rate of 1e-12 moves a weight by less than 1e-9
        np.testing.assert_allclose(after[name], before[name], rtol=0, atol=1e-9, err_msg=name)
    last = {
        place: max(read_log(folder / place / "train.log")["Train", "total loss"])[0]
        for place in (BEFORE, AFTER)
    }
    assert last == {BEFORE: 4, AFTER: 1}
    assert err.index(f"[1/2] {BEFORE}: accuracy") < err.index(f"[2/2] {AFTER}: accuracy")


def test_its_people_are_in_numbers_of_their_own_only(finished):
    folder, out, _ = finished
    found = json.loads((folder / "results.json").read_text())
    (method,) = found["methods"]
    assert list(method["folds"]) == ["fold0"] and method["folds"]["fold0"]["folder"] == AFTER
    (before,) = found["start"]
    assert (before["net"], before["folder"], before["reason"]) == ("cnn", BEFORE, None)
    told = json.loads((folder / "report.json").read_text())["tables"]
    images = len((folder / "data/start/fold0/test.csv").read_text().splitlines()) - 1
    assert told["start"]["rows"][0][-1] == str(images) == str(before["evaluation"]["images"])
    assert out.count("cnn") == 1
    assert "first trained on" in (folder / "report.html").read_text()
    packed = json.loads((folder / "data/start/fold0/packed.json").read_text())["options"]
    assert (packed["copies"], packed["folds"], len(packed["classes"])) == (2, 4, 7)


def test_the_network_of_a_run_is_that_of_the_fold(finished):
    folder, *_ = finished
    model, before = open_model(folder), open_model(folder / "start")
    assert model.facts["training"]["folder"] == AFTER
    assert model.facts["training"]["started_from"] == [f"{BEFORE}/weights.caffemodel"]
    assert before.facts["training"]["folder"] == BEFORE
