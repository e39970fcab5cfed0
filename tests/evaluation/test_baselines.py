"""HOG, LBP and a linear SVM: they learn where there is something to learn, and not elsewhere."""

import csv
import json
import sys

import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.errors import LmdbError
from gcnet_caffe.evaluation.baselines import (
    KINDS,
    baseline,
    lbp_features,
    svm_scores,
    training_images,
)
from gcnet_caffe.formats.lmdb_file import LmdbWriter, read_datums
from gcnet_caffe.inference.images import read_images


@pytest.mark.parametrize("kind", KINDS)
def test_it_beats_chance_and_knows_its_sequences(faces, tmp_path, kind, capsys):
    out = tmp_path / "out"
    capsys.readouterr()
    assert main(["baseline", "--kind", kind, "--data", str(faces), "-o", str(out)]) == 0
    scores = json.loads((out / "evaluation.json").read_text())
    assert scores["images"] == 84 and scores["sequences"] == 28
    assert scores["chance"] == pytest.approx(1 / 7)
    assert scores["accuracy"] > 3 * scores["chance"]
    assert np.trace(scores["confusion"]) == round(84 * scores["accuracy"])
    assert f"accuracy {scores['sequence_accuracy']:.4f} of 28" in capsys.readouterr().out
    with open(out / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(r["expression"] == r["predicted_expression"] for r in rows) == np.trace(
        scores["confusion"]
    )
    again = tmp_path / "again"
    main(["baseline", "--kind", kind, "--data", str(faces), "-o", str(again)])
    for name in ("evaluation.json", "predictions.csv"):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_raised_labels_count_as_what_they_were(faces, tmp_path):
    with LmdbWriter(tmp_path / "train_lmdb") as writer:
        for number, (key, datum) in enumerate(read_datums(faces / "train_lmdb")):
            datum.label += 8 * (number % 2)
            writer.put(key.decode(), datum.SerializeToString())
    images, labels = training_images(faces / "train_lmdb", 7, 8)
    raised, found = training_images(tmp_path / "train_lmdb", 7, 8)
    np.testing.assert_array_equal(raised, images)
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("kind", KINDS)
def test_with_shuffled_labels_it_falls_to_chance(faces, tmp_path, kind):
    records = list(read_datums(faces / "train_lmdb"))
    rows = [key.decode().split("_")[1] for key, _ in records]
    label_of = dict(zip(rows, (datum.label for _, datum in records)))
    wrong = np.random.default_rng(0).permutation(list(label_of.values()))
    label_of = dict(zip(label_of, wrong.tolist()))
    with LmdbWriter(tmp_path / "train_lmdb") as writer:
        for row, (key, datum) in zip(rows, records):
            datum.label = label_of[row]
            writer.put(key.decode(), datum.SerializeToString())
    for name in ("test_lmdb", "packed.json", "test.csv"):
        (tmp_path / name).symlink_to(faces / name)
    scores, _ = baseline(kind, tmp_path)
    deviation = (1 / 7 * 6 / 7 / scores["sequences"]) ** 0.5  # the frames of one are alike
    assert abs(scores["accuracy"] - 1 / 7) < 3 * deviation


def test_it_trains_on_first_copies_of_the_classes(faces):
    images, labels = training_images(faces / "train_lmdb", 7, 8)
    assert images.shape == (12 * 7 * 3, 64, 64) and set(labels) == set(range(7))
    every = read_images(faces / "train_lmdb")
    assert len(every.labels) == 2 * (12 * 7 * 3 + 12 * 7) and every.labels.max() == 7
    kept = [k.endswith("_000") and label < 7 for k, label in zip(every.keys, every.labels)]
    # float32 pixels times 1/255 beside a float64 quotient: grey levels are 4e-3 apart
    np.testing.assert_allclose(every.images[kept, 0], images / 255, atol=1e-6)


def test_lbp_histograms_by_hand():
    image = np.full((64, 64), 100, np.uint8)
    histograms = lbp_features(image[None]).reshape(64, 59)
    assert histograms.sum(1) == pytest.approx(1)
    # all neighbours equal: the code of eight ones, where the neighbours are inside the image
    flat = histograms[9]  # a cell that touches no border
    assert sorted(flat)[-2:] == [0, 1]


def test_scores_of_two_classes_and_of_one_that_was_not_there():
    points = np.array([[-1.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    scores = svm_scores(points, np.array([0, 0, 2, 2]), points, 3)
    assert scores.argmax(1).tolist() == [0, 0, 2, 2]
    assert np.isneginf(scores[:, 1]).all()


def test_wrong_folders(faces, tmp_path, capsys, monkeypatch):
    with pytest.raises(LmdbError, match="no packed.json with classes"):
        baseline("hog-svm", tmp_path)
    for name in ("test_lmdb", "packed.json"):
        (tmp_path / name).symlink_to(faces / name)
    (tmp_path / "train_lmdb").symlink_to(faces / "test_lmdb")
    with pytest.raises(LmdbError, match="no records with keys ending in _001"):
        read_images(tmp_path / "train_lmdb", suffix="_001")
    monkeypatch.setitem(sys.modules, "sklearn.svm", None)
    argv = ["baseline", "--kind", "lbp-svm", "--data", str(tmp_path), "-o", str(tmp_path / "out")]
    assert main(argv) == 2
    assert "pip install 'gcnet-caffe[report]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
