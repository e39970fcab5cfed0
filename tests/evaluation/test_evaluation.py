"""A small trained S1R1 over its test LMDB, in every engine."""

import csv
import json

import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.formats.log import read_log
from tests.recognition.models import OTHERS
from tests.scratch import write_lmdb

ITERATIONS = 25


@pytest.fixture(scope="module")
def trained(faces, tmp_path_factory):
    """S1R1 after some iterations of 8 images: far from good, and far from constant."""
    folder = tmp_path_factory.mktemp("trained")
    target = f"--variant S1R1 --name small --data {faces} --fit-test -o {folder}"
    net = f"{folder}/small_fold0_S1R1_train_test.prototxt"
    for command in (
        f"make-net {target} --batch-size 8 --moving-average-fraction 0.9",
        f"make-solver {target} --net {net} --snapshot-prefix {folder}/x --max-iter {ITERATIONS} "
        f"--test-interval {ITERATIONS} --random-seed 1",
        f"train -solver {folder}/small_fold0.prototxt --log {folder}/train.log",
    ):
        assert main(command.split()) == 0
    return folder


def evaluate(trained, faces, engine):
    words = f"--net {trained}/small_S1R1_deploy.prototxt --data {faces} --engine {engine}"
    words += f" --weights {trained}/x_iter_{ITERATIONS}.caffemodel -o {trained}/{engine}"
    assert main(["evaluate", *words.split()]) == 0
    with open(trained / engine / "predictions.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_what_it_writes_agrees_with_itself_and_with_the_log(trained, faces, capsys):
    rows = evaluate(trained, faces, "torch")
    scores = json.loads((trained / "torch/evaluation.json").read_text())
    printed = capsys.readouterr().out
    assert f"accuracy {scores['sequence_accuracy']:.4f} of 28 sequences" in printed
    right = [row["expression"] == row["predicted_expression"] for row in rows]
    assert len(rows) == 84 and np.mean(right) == pytest.approx(scores["accuracy"])
    assert np.trace(scores["confusion"]) == sum(right)
    iteration, in_log = read_log(trained / "train.log")["Test", "accuracy"][-1]
    assert iteration == ITERATIONS and in_log == pytest.approx(scores["accuracy"], abs=1e-4)
    with np.load(trained / "torch/features.npz") as found:
        assert found["feature"].shape == (84, 384) and found["feature"].std(0).max() > 0
        assert found["keys"].tolist() == [row["key"] for row in rows]
        assert found["labels"].tolist() == [int(row["label"]) for row in rows]


def test_without_image_scores_no_training_image_is_read(trained, faces, tmp_path):
    evaluate(trained, faces, "torch")
    (tmp_path / "test_lmdb").symlink_to(faces / "test_lmdb")
    words = f"--net {trained}/small_S1R1_deploy.prototxt --data {tmp_path} -o {tmp_path}/out"
    words += f" --weights {trained}/x_iter_{ITERATIONS}.caffemodel"
    assert main(["evaluate", *words.split()]) == 1  # no train_lmdb
    assert main(["evaluate", "--no-images", *words.split()]) == 0
    found, whole = (
        json.loads((f / "evaluation.json").read_text())
        for f in (tmp_path / "out", trained / "torch")
    )
    assert "generated_reference" in whole and "generated_reference" not in found
    assert found["accuracy"] == whole["accuracy"]


def test_an_lmdb_without_references_is_refused(trained, tmp_path, capsys):
    write_lmdb(tmp_path / "test_lmdb", [0, 1], channels=1)
    words = f"--net {trained}/small_S1R1_deploy.prototxt --data {tmp_path} -o {tmp_path}/out"
    words += f" --weights {trained}/x_iter_{ITERATIONS}.caffemodel"
    assert main(["evaluate", *words.split()]) == 1
    wanted = f"{tmp_path}/test_lmdb: records of 1 channel, wanted 2: query and reference"
    assert wanted in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_blob_of_the_train_phase_is_not_scored(trained, faces, tmp_path):
    net = tmp_path / "deploy.prototxt"
    rule = "include { phase: TRAIN }"
    more = f'layer {{ name: "x" type: "AbsVal" bottom: "query" top: "reconstruction" {rule} }}\n'
    net.write_text((trained / "small_S1R1_deploy.prototxt").read_text() + more)
    weights = trained / f"x_iter_{ITERATIONS}.caffemodel"
    words = f"--net {net} --weights {weights} --data {faces} -o {tmp_path}"
    assert main(["evaluate", *words.split()]) == 0
    scores = json.loads((tmp_path / "evaluation.json").read_text())
    assert "generated_reference" in scores and "reconstruction" not in scores


@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_every_engine_gives_the_same_labels(engine, trained, faces):
    ours, theirs = (evaluate(trained, faces, name) for name in ("torch", engine))
    assert [row["predicted"] for row in ours] == [row["predicted"] for row in theirs]
    assert len({row["predicted"] for row in ours}) > 2  # not a constant answer
    ours, theirs = (np.array([probabilities(row) for row in rows]) for rows in (ours, theirs))
    difference = abs(ours - theirs).max(1)
    # a maximum that two pixels of a pooling window share, but for rounding, may be unpooled at
    # either: such an image differs visibly, and must be rare
    assert np.median(difference) <= 1e-6 and (difference > 1e-5).sum() <= 2


def probabilities(row):
    return [float(row[f"prob{k}"]) for k in range(7)]
