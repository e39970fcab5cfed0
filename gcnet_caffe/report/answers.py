"""Which test images a method got right, read from the predictions.csv of its folders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.datasets.table import read_table
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.run_folder import ResultFolder, RunFolder
from gcnet_caffe.report.run import Method

_COLUMNS = ("key", "label", "predicted", "subject")


class Answers(NamedTuple):
    """The test images of one fold, and how often a method was right.

    Attributes
    ----------
    rows : list of dict
        The rows of predictions.csv: of the first seed.
    right : (S, N) array of bool
        Of each seed and image.
    """

    rows: list[dict[str, str]]
    right: NDArray[np.bool_]

    @property
    def accuracies(self) -> list[float]:
        """The accuracy (0..1) of each seed."""
        return [float(seed.mean()) for seed in self.right]

    def those(self, chosen: NDArray[np.bool_]) -> Answers:
        """Return the answers to the (N,) images that are chosen."""
        return Answers([*compress(self.rows, chosen)], self.right[:, chosen])

    @property
    def keys(self) -> list[str]:
        """What the images are called in the test LMDB."""
        return [row["key"] for row in self.rows]

    @property
    def subjects(self) -> list[str]:
        """Whom the images show."""
        return [row["subject"] for row in self.rows]


def read_answers(
    run: RunFolder,
    methods: Iterable[Method],
    fold: str,
    place: Callable[[ResultFolder], ResultFolder] = lambda folder: folder,
) -> Answers:
    """Read what the seeds of a method answered on a fold.

    Parameters
    ----------
    run : RunFolder
    methods : iterable of Method
        The seeds; those without the fold are left out.
    fold : str
    place : callable, optional
        From the folder of a net to that of the predictions.

    Raises
    ------
    GcnetError
        No seed has the fold; a predictions.csv cannot be read, or has other images than the first.
    """
    found: list[Answers] = []
    for method in methods:
        folder = method.folds.get(fold, {}).get("folder")
        if folder is None:
            continue
        path = place(run.at(folder)).predictions
        rows = [*read_table(path, "table of predictions", _COLUMNS, GcnetError)]
        right = np.array([row["label"] == row["predicted"] for row in rows])
        found.append(Answers(rows, right[None]))
        if found[-1].keys != found[0].keys:
            raise GcnetError(f"{path}: other images than those of the first seed")
    if not found:
        raise GcnetError(f"{run.path}: no predictions of {fold}")
    return Answers(found[0].rows, np.concatenate([answers.right for answers in found]))
