"""Methods compared on the same folds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gcnet_caffe.report.run import Method


class Difference(NamedTuple):
    """Accuracy of one method minus another's over the folds both have.

    `mean` and `error` (standard error of the mean; None below three folds) are shares 0..1.
    """

    mean: float
    error: float | None
    folds: int

    @property
    def clear(self) -> bool | None:
        """Whether it is larger than two standard errors; None when there are too few folds."""
        return None if self.error is None else abs(self.mean) > 2 * self.error


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


def difference(methods: Sequence[Method], name: str, other: str) -> Difference | None:
    """Return the `Difference` of two methods, fold by fold, or None when they share no fold."""
    one, two = accuracies(methods, name), accuracies(methods, other)
    values = [one[fold] - two[fold] for fold in one if fold in two]
    if not values:
        return None
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 2 else None
    return Difference(float(np.mean(values)), error, len(values))


def ranking(methods: Sequence[Method]) -> list[str]:
    """Return the methods' names, the highest mean over folds and seeds first."""
    found = {m.method: accuracies(methods, m.method) for m in methods}
    means = {name: float(np.mean([*scores.values()])) for name, scores in found.items() if scores}
    return sorted(means, key=means.__getitem__, reverse=True)


def clear_winner(methods: Sequence[Method]) -> str | None:
    """Return the best method if its lead over the next exceeds two standard errors, or None."""
    names = ranking(methods)
    if len(names) < 2:
        return None
    lead = difference(methods, *names[:2])
    return names[0] if lead and lead.clear and lead.mean > 0 else None
