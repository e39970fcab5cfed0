"""`gcnet evaluate --own-reference`: the same images with generated and with true references."""

import json

import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.evaluation import compare_references
from gcnet_caffe.inference.images import Records, read_images
from gcnet_caffe.inference.network import open_network
from tests.recognition.models import untrained
from tests.scratch import ROOT


def evaluate(model, faces, out, *words):
    words = ["--net", str(model.net), "--weights", str(model.weights), *words]
    return main(["evaluate", *words, "--data", str(faces), "-o", str(out)])


def test_the_own_reference_is_that_of_the_lmdb(faces, tmp_path, capsys):
    """It is as right as the net that compares pairs, with the same weights."""
    model = untrained(tmp_path)
    capsys.readouterr()
    assert evaluate(model, faces, tmp_path / "out", "--own-reference") == 0
    found = json.loads((tmp_path / "out/evaluation.json").read_text())
    test = read_images(faces / "test_lmdb")
    metric = ROOT / "prototxt/ck_metric_deploy.prototxt"
    pairs = {"query": test.images[:, :1], "reference": test.images[:, 1:]}
    wanted = open_network("torch", metric, model.weights, ["prob"]).forward(pairs)["prob"]
    right = (wanted.argmax(1) == test.labels).mean()
    own = found["own_reference"]
    assert own["own"]["accuracy"] == pytest.approx(right)
    assert own["generated"]["accuracy"] == found["accuracy"] and own["images"] == len(test.labels)
    assert np.diag(own["own"]["confusion"]).sum() == round(right * len(test.labels))
    last = capsys.readouterr().out.splitlines()[-3:]
    assert last[0] == "84 images" and last[1].startswith(
        f"generated reference: accuracy {found['accuracy']:.4f} (anger "
    )
    assert last[2].startswith(f"own reference: accuracy {right:.4f} (anger ")

    assert evaluate(model, faces, tmp_path / "out") == 0
    assert json.loads((tmp_path / "out/evaluation.json").read_text()) == {
        key: value for key, value in found.items() if key != "own_reference"
    }
    assert "own reference" not in capsys.readouterr().out


def some(labels, same):
    """Records of pairs; in those of `same` the query is the reference."""
    images = np.random.default_rng(0).random((len(labels), 2, 64, 64), np.float32)
    images[same, 1] = images[same, 0]
    return Records([f"{i}" for i in range(len(labels))], np.array(labels), images)


def said(*answers):
    return np.eye(2, dtype=np.float32)[list(answers)]


def test_queries_that_are_their_own_reference_are_left_out():
    test = some([0, 0, 1, 1, 1], same=[3])
    found = compare_references(said(0, 1, 0, 1, 1), said(1, 0, 1, 0, 1), test)
    assert (found["images"], found["left_out"]) == (4, 1)
    assert found["generated"]["accuracy"] == 0.5 and found["own"]["accuracy"] == 0.75
    assert (found["only_generated"], found["only_own"]) == (1, 2)
    with pytest.raises(GcnetError, match="every query is its own reference: nothing to compare"):
        compare_references(said(0, 1), said(0, 1), some([0, 1], same=[0, 1]))


def test_a_net_without_a_reference_is_misuse(faces, tmp_path, capsys):
    assert evaluate(untrained(tmp_path, "cnn"), faces, tmp_path / "out", "--own-reference") == 2
    err = capsys.readouterr().err
    assert "no blob 'generated_reference'; wanted a network that" in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()
