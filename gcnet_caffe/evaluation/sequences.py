"""From predictions per image to predictions per sequence."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.packing.record_table import RecordRow


def sequence_groups(records: Sequence[RecordRow]) -> list[Hashable] | None:
    """Return which sequence each image belongs to: its frames have equal keys.

    A sequence is the images of one subject, sequence and label: where neutral is a class, the
    neutral first frame of a CK+ sequence counts on its own. A still is a sequence of one.

    Parameters
    ----------
    records : sequence of RecordRow

    Returns
    -------
    list of tuple, or None
        None where no image is of a sequence: there is nothing to vote on.
    """
    if not any(record.sequence for record in records):
        return None
    return [
        (record.subject, record.sequence, record.label if record.sequence else record.key)
        for record in records
    ]


def vote(
    scores: NDArray[np.floating], groups: Sequence[Hashable]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return what the majority of each sequence's images is predicted as.

    Where classes have equally many images, the one with the largest score summed over all images of
    the sequence wins; where these are equal too, the class with the lowest label wins.

    Parameters
    ----------
    scores : (N, K) array
        One row per image, the largest is the prediction: probabilities, or distances to a plane.
    groups : sequence of N hashable
        Equal for the images of one sequence.

    Returns
    -------
    first : (S,) array of int
        A sequence's first image, in the order in which the sequences occur.
    predicted : (S,) array of int
        Labels.
    """
    members: dict[Hashable, list[int]] = {}
    for place, group in enumerate(groups):
        members.setdefault(group, []).append(place)
    predicted = [_winner(scores[places]) for places in members.values()]
    return np.array([places[0] for places in members.values()]), np.array(predicted)


def _winner(scores: NDArray[np.floating]) -> int:
    votes = np.bincount(scores.argmax(1), minlength=scores.shape[1])
    leading = np.flatnonzero(votes == votes.max())
    return int(leading[scores.sum(0)[leading].argmax()])
