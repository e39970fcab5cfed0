"""A classifier's scores of the test images against their labels: of a net, or of a baseline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe import files
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.sequences import sequence_groups, vote
from gcnet_caffe.packing.record_table import RecordRow

#: What predictions.csv has of a row of test.csv.
_SHOWN = ("path", "subject", "sequence", "rank", "expression")


def classification(
    scores: NDArray[np.floating],
    labels: NDArray[np.int64],
    classes: Sequence[str] | None = None,
    records: Sequence[RecordRow] | None = None,
    origin: str | Path = "the classifier",
) -> dict[str, Any]:
    """Score predictions per image and, where the test set has sequences, per sequence.

    Parameters
    ----------
    scores : (N, K) array
        One row per image, the largest is the prediction.
    labels : (N,) array of int
        0..K-1.
    classes : sequence of K str, optional
        The names of the labels; without them no confusion matrix is made.
    records : sequence of N RecordRow, optional
        What the images are of.
    origin : str or Path
        What made the scores, for messages.

    Returns
    -------
    dict
        `accuracy` per image, `chance` (share of the largest class) and `recall` by label; with
        `classes` also these and `confusion` (counts, row = true label, column = predicted); with
        sequences `sequences` (how many) and `sequence_accuracy` (see `sequences.vote`).

    Raises
    ------
    GcnetError
        A label or the number of classes does not fit the scores.
    """
    count = scores.shape[1]
    outside = labels[(labels < 0) | (labels >= count)]
    if len(outside):
        raise GcnetError(
            f"{origin}: label {outside[0]} in the test LMDB, "
            f"but the net has classes 0 to {count - 1}"
        )
    if classes and len(classes) != count:
        raise GcnetError(f"{origin}: {count} classes, the data's packed.json has {len(classes)}")
    predicted = scores.argmax(1)
    right = predicted == labels
    found: dict[str, Any] = {
        "accuracy": float(right.mean()),
        "chance": float(np.bincount(labels).max() / len(labels)),
        "recall": {int(k): float(right[labels == k].mean()) for k in np.unique(labels)},
    }
    if classes:
        found["classes"] = list(classes)
        pairs = np.bincount(labels * count + predicted, minlength=count**2)
        found["confusion"] = pairs.reshape(count, count).tolist()
    groups = sequence_groups(records) if records else None
    if groups:
        first, voted = vote(scores, groups)
        found["sequences"] = len(first)
        found["sequence_accuracy"] = float((labels[first] == voted).mean())
    return found


def write_predictions(
    path: str | Path,
    keys: Sequence[str],
    labels: NDArray[np.int64],
    scores: NDArray[np.floating],
    column: str,
    classes: Sequence[str] | None = None,
    records: Sequence[RecordRow] | None = None,
) -> None:
    """Write one row per image to the CSV file `path`.

    Parameters
    ----------
    path : str or Path
    keys, labels, scores
        As `Records` and `classification` have them.
    column : str
        What the scores are called: with `prob`, the columns are prob0, prob1, ...
    classes, records : optional
        As for `classification`. `records` add path, subject, sequence, rank and expression,
        `classes` the predicted expression; without `classes`, which may be thousands of
        identities, the largest score is the only one written.
    """
    predicted = scores.argmax(1)
    table: dict[str, Iterable[object]] = {"key": keys, "label": labels, "predicted": predicted}
    if records:
        table.update({name: [getattr(row, name) for row in records] for name in _SHOWN})
    if classes:
        table["predicted_expression"] = [classes[label] for label in predicted]
        table.update(
            {f"{column}{label}": _digits(scores[:, label]) for label in range(len(classes))}
        )
    else:
        table[column] = _digits(scores.max(1))
    files.write_csv(path, list(table), zip(*table.values()))


def _digits(scores: NDArray[np.floating]) -> list[str]:
    return [f"{score:.6f}" for score in scores]
