"""Accuracy, recall, confusion and votes, worked out by hand."""

import csv

import numpy as np
import pytest

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.classification import classification, write_predictions
from gcnet_caffe.evaluation.sequences import sequence_groups, vote
from gcnet_caffe.packing.record_table import RecordRow

CLASSES = ("anger", "happy", "sad")
LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = [0, 0, 1, 1, 2, 0]


def scores_of(predicted, high=0.8):
    return np.where(np.eye(3)[predicted] > 0, high, (1 - high) / 2)


def records(sequences, labels=LABELS):
    return [
        RecordRow(f"{i:08d}", f"{i}.png", "S1", name, "", CLASSES[label], str(label))
        for i, (name, label) in enumerate(zip(sequences, labels))
    ]


def test_per_image():
    found = classification(scores_of(PREDICTED), LABELS, CLASSES)
    assert found == {
        "accuracy": 3 / 6,
        "chance": 3 / 6,
        "recall": {0: 2 / 3, 1: 1 / 2, 2: 0.0},
        "classes": ["anger", "happy", "sad"],
        "confusion": [[2, 1, 0], [0, 1, 1], [1, 0, 0]],
    }


def test_a_class_without_test_images_has_no_recall():
    found = classification(scores_of([0, 2]), np.array([0, 0]), CLASSES)
    assert found["recall"] == {0: 0.5}
    assert found["confusion"] == [[1, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_per_sequence():
    # the frames of "a" are predicted 0, 0, 1 (right); the tie in "b" goes by the scores
    scores = scores_of(PREDICTED)
    scores[3] = 0.05, 0.9, 0.05  # 1 is right, and surer than
    scores[4] = 0.1, 0.3, 0.6  # 2: 1.2 against 0.65
    found = classification(scores, LABELS, CLASSES, records(["a", "a", "a", "b", "b", ""]))
    assert found["sequences"] == 3
    assert found["sequence_accuracy"] == pytest.approx(2 / 3)
    assert found["accuracy"] == 0.5
    scores[4] = 0.01, 0.01, 0.98  # now 2 has the larger sum: 1.03 against 0.91
    found = classification(scores, LABELS, CLASSES, records(["a", "a", "a", "b", "b", ""]))
    assert found["sequence_accuracy"] == pytest.approx(1 / 3)


def test_majority_goes_before_scores_and_ties_end_at_the_lowest_label():
    scores = np.array([[0.4, 0.6, 0], [0.45, 0.55, 0], [1.0, 0.0, 0], [0, 0.2, 0.8], [0, 0.8, 0.2]])
    first, predicted = vote(scores, ["a", "a", "a", "b", "b"])
    assert first.tolist() == [0, 3]
    assert predicted.tolist() == [1, 1]  # "a": two of three though 0 has the larger sum
    tied = np.array([[0.6, 0, 0.4], [0.6, 0, 0.4], [0.05, 0.9, 0.05], [0.33, 0.34, 0.33]])
    assert vote(tied, "aaaa")[1].tolist() == [0]  # 1.58 against 1.24, though 1 has the surest image


def test_what_a_sequence_is():
    assert sequence_groups(records([""] * 6)) is None
    # the neutral frame of a sequence has another label, and stills stand alone
    groups = sequence_groups(records(["a", "a", "", "a", "", ""]))
    assert len(set(groups)) == 5
    assert groups[0] == groups[1] != groups[3]


def test_labels_and_names_must_fit():
    for label in (3, -1):
        wanted = f"d: label {label} in the test LMDB, but the net has classes 0 to 2"
        with pytest.raises(GcnetError, match=wanted):
            classification(scores_of([0]), np.array([label]), origin="d")
    with pytest.raises(GcnetError, match="3 classes, the data's packed.json has 2"):
        classification(scores_of([0]), np.array([0]), CLASSES[:2])


def test_the_table_of_predictions(tmp_path):
    about = records(["a", "a", "a", "b", "b", ""])
    keys = [record.key for record in about]
    path = tmp_path / "predictions.csv"
    write_predictions(path, keys, LABELS, scores_of(PREDICTED), "prob", CLASSES, about)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[2] == {
        "key": "00000002",
        "label": "0",
        "predicted": "1",
        "path": "2.png",
        "subject": "S1",
        "sequence": "a",
        "rank": "",
        "expression": "anger",
        "predicted_expression": "happy",
        "prob0": "0.100000",
        "prob1": "0.800000",
        "prob2": "0.100000",
    }
    write_predictions(path, keys, LABELS, scores_of(PREDICTED), "prob")
    header, first = path.read_text().splitlines()[:2]
    assert (header, first) == ("key,label,predicted,prob", "00000000,0,0,0.800000")
