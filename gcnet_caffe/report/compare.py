"""Methods against each other on the same folds."""

from typing import NamedTuple, Optional

import numpy as np


class Difference(NamedTuple):
    """Accuracy of one method minus another's over the folds both have.

    `mean` and `error` (standard error of the mean; None below three folds) are shares 0..1.
    """

    mean: float
    error: Optional[float]
    folds: int

    @property
    def clear(self):
        """Whether it exceeds two standard errors; None when there is no telling."""
        return None if self.error is None else abs(self.mean) > 2 * self.error


def by_fold(methods, name):
    """{fold: accuracy} of the method `name`, the mean over its seeds."""
    found = {}
    for method in methods:
        if method.method == name:
            for fold, scores in method.folds.items():
                found.setdefault(fold, []).append(scores["accuracy"])
    return {fold: float(np.mean(values)) for fold, values in found.items()}


def difference(methods, name, other):
    """The `Difference` of two methods, fold by fold, or None when they share no fold."""
    one, two = by_fold(methods, name), by_fold(methods, other)
    shared = [fold for fold in one if fold in two]
    if not shared:
        return None
    values = np.array([one[fold] - two[fold] for fold in shared])
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 2 else None
    return Difference(float(values.mean()), error, len(values))


def ranking(methods):
    """The methods' names, the highest mean over folds and seeds first."""
    names = dict.fromkeys(m.method for m in methods)
    means = {n: np.mean(list(found.values())) for n in names if (found := by_fold(methods, n))}
    return sorted(means, key=means.get, reverse=True)


def clear_winner(methods):
    """The best method if its lead over the next exceeds two standard errors, or None."""
    names = ranking(methods)
    if len(names) < 2:
        return None
    lead = difference(methods, *names[:2])
    return names[0] if lead and lead.clear and lead.mean > 0 else None
