"""Methods compared on the same folds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.report.answers import Answers, read_answers
from gcnet_caffe.report.blocks import signed
from gcnet_caffe.report.run import Method, Run

#: How often the subjects are drawn again, and the seed of the draws.
RESAMPLES, SEED = 10_000, 0
#: Of fewer subjects no interval is made: the draws would be too much alike.
FEWEST = 10
#: What an interval of `bootstrap` is, for captions.
ABOUT_INTERVAL = (
    f"95 % interval: paired bootstrap over the test subjects ({RESAMPLES:,} draws, seed {SEED}) of "
    "the difference, which is the mean over folds and seeds. Only an interval without 0 is called "
    "a difference. It says how much the answer depends on who was tested; how much a training "
    "depends on its seed is in the table of seeds. With several comparisons, one interval of "
    "twenty lies beside 0 by chance."
)


class Interval(NamedTuple):
    """The middle 95 % of what the draws of subjects gave, shares -1..1."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{signed(100 * self.low)} to {signed(100 * self.high)}"

    @property
    def excludes_zero(self) -> bool:
        """Whether all of it is on one side of 0."""
        return self.low > 0 or self.high < 0


class Difference(NamedTuple):
    """Accuracy of one method minus another's over the folds both have.

    Attributes
    ----------
    folds : dict
        Fold -> difference of the means over seeds, -1..1.
    interval : Interval or None
        Over subjects; None where the predictions do not say whom an image shows, or of too few.
    subjects : int
        How many were tested; 0 where nobody knows.
    """

    folds: dict[str, float]
    interval: Interval | None = None
    subjects: int = 0

    @property
    def mean(self) -> float:
        """The mean over folds, -1..1."""
        return float(np.mean([*self.folds.values()]))

    @property
    def std(self) -> float | None:
        """The standard deviation over folds (ddof 1); None of one fold."""
        return float(np.std([*self.folds.values()], ddof=1)) if len(self.folds) > 1 else None

    @property
    def clear(self) -> bool | None:
        """Whether the interval excludes 0; None where there is none."""
        return self.interval and self.interval.excludes_zero


def by_fold(methods: Iterable[Method], key: str = "accuracy") -> dict[str, float]:
    """Return {fold: score} (0..1), the mean over the methods that have it: a method's seeds."""
    found: dict[str, list[float]] = {}
    for method in methods:
        folds: Mapping[str, Mapping[str, Any]] = method.folds
        for fold, scores in folds.items():
            if scores.get(key) is not None:
                found.setdefault(fold, []).append(scores[key])
    return {fold: float(np.mean(values)) for fold, values in found.items()}


def accuracies(methods: Iterable[Method], name: str) -> dict[str, float]:
    """Return {fold: accuracy} (0..1) of the method `name`, the mean over its seeds."""
    return by_fold(m for m in methods if m.method == name)


def difference(run: Run, name: str, other: str) -> Difference | None:
    """Return the `Difference` of two compared methods, or None when they share no fold."""
    one, two = (accuracies(run.compared, method) for method in (name, other))
    folds = {fold: one[fold] - two[fold] for fold in one if fold in two}
    if not folds:
        return None
    try:
        pairs = [[_answers(run, method, fold) for method in (name, other)] for fold in folds]
        return Difference(folds, *bootstrap(pairs))
    except GcnetError:  # results.json alone, or a run of an earlier version
        return Difference(folds)


def _answers(run: Run, name: str, fold: str) -> Answers:
    return read_answers(run.folder, [m for m in run.compared if m.method == name], fold)


def bootstrap(folds: Iterable[Sequence[Answers]]) -> tuple[Interval | None, int]:
    """Return the interval of a difference of accuracies, from draws of subjects.

    Each draw takes as many subjects as there are, with replacement, and both methods' answers to
    all images of each. A subject's images count in each fold as they do in the fold's accuracy, and
    each fold counts as much as another; so the draw of everybody once is the difference itself.

    Parameters
    ----------
    folds : iterable of (Answers, Answers)
        The two methods on each fold.

    Returns
    -------
    interval : Interval or None
        None of fewer than `FEWEST` subjects, or where images have no subject.
    subjects : int
        How many there are.

    Raises
    ------
    GcnetError
        The two methods answered other images.
    """
    sums: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(2))
    for one, other in folds:
        if one.keys != other.keys:
            raise GcnetError("two methods were tested on other images")
        found = one.right.mean(0) - other.right.mean(0)
        for subject, value in zip(one.subjects, found / len(found)):
            sums[subject] += np.array([value, 1 / len(found)])
    count = 0 if "" in sums else len(sums)
    if count < FEWEST:
        return None, count
    draws = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    values, weights = (draws @ np.array([*sums.values()])).T
    return Interval(*map(float, np.percentile(values / weights, (2.5, 97.5)))), count


def ranking(methods: Sequence[Method]) -> list[str]:
    """Return the methods' names, the highest mean over folds and seeds first."""
    found = {m.method: accuracies(methods, m.method) for m in methods}
    means = {name: float(np.mean([*scores.values()])) for name, scores in found.items() if scores}
    return sorted(means, key=means.__getitem__, reverse=True)


def clear_winner(run: Run) -> str | None:
    """Return the best method if the interval of its lead over the next excludes 0, or None."""
    names = ranking(run.compared)
    if len(names) < 2:
        return None
    lead = difference(run, *names[:2])
    return names[0] if lead and lead.clear and lead.mean > 0 else None
