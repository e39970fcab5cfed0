"""Probabilities that can be believed: a temperature that is fitted to held-out predictions.

Source: Guo, Pleiss, Sun, Weinberger, On Calibration of Modern Neural Networks, ICML 2017: the
scores are divided by one number T before the softmax. The answer stays the same.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.inference.model import Calibration

#: Below this confidence an answer is "not sure": it is more often wrong than right.
THRESHOLD = 0.5
#: Confidences of a reliability curve: so many equal intervals of 0..1.
BINS = 10

_LOWEST, _HIGHEST = 0.02, 50.0  # temperatures
_LEAST = 5e-7  # predictions.csv has six decimals


def with_temperature(probabilities: NDArray[Any], temperature: float) -> NDArray[Any]:
    """Return the probabilities that softmax gives if it reads the scores divided by `temperature`.

    Parameters
    ----------
    probabilities : (N, K) array
        A softmax's: in each row their logarithms are the scores, up to a constant.
    temperature : float
        More than 0. Above 1 the largest becomes smaller; 1 returns the same array.

    Returns
    -------
    (N, K) array
        Of the same type; the sum of each row is 1.
    """
    if temperature == 1:
        return probabilities
    powers = np.asarray(probabilities, np.float64) ** (1 / temperature)
    found: NDArray[Any] = (powers / powers.sum(1, keepdims=True)).astype(probabilities.dtype)
    return found


def fit_temperature(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Return the temperature with the least mean negative log-likelihood of the labels.

    The likelihood is a convex function of 1/T, so its slope is 0 at one place; it is found by
    halving. A probability of 0 counts as 5e-7.

    Parameters
    ----------
    probabilities : (N, K) array
        Of images of people that the network was not trained on.
    labels : (N,) array of int

    Returns
    -------
    float

    Raises
    ------
    GcnetError
        There is none: all predictions are right, or they are no better than chance.
    """
    scores = np.log(np.maximum(np.asarray(probabilities, np.float64), _LEAST))
    of_label = scores[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        powers = np.exp(inverse * (scores - scores.max(1, keepdims=True)))
        expected = (powers * scores).sum(1) / powers.sum(1)
        return float((expected - of_label).mean())

    low, high = 1 / _HIGHEST, 1 / _LOWEST
    if not slope(low) < 0 < slope(high):
        what = "better than chance" if slope(low) >= 0 else "wrong"
        raise GcnetError(f"no temperature fits {len(labels)} predictions: none is {what}")
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / middle


def reliability(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> list[list[float]]:
    """Return the points of a reliability curve.

    Returns
    -------
    list of [count, confidence, accuracy]
        Of each of `BINS` equal intervals of confidence that has predictions: how many, their mean
        confidence and the share that is right.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    chosen = [place == b for b in np.unique(place)]
    return [[int(c.sum()), float(confidence[c].mean()), float(right[c].mean())] for c in chosen]


def calibrate(
    probabilities: NDArray[Any], labels: NDArray[np.int64], threshold: float = THRESHOLD
) -> Calibration:
    """Fit the temperature, and measure what it does on the same predictions.

    Parameters
    ----------
    probabilities, labels
        As for `fit_temperature`.
    threshold : float
        The confidence below which an answer is "not sure", 0..1.

    Raises
    ------
    UsageError
        `threshold` is not in 0..1.
    GcnetError
        As `fit_temperature`.
    """
    if not 0 <= threshold <= 1:
        raise UsageError(f"threshold {threshold:g}: wanted 0 to 1")
    temperature = round(fit_temperature(probabilities, labels), 4)
    after = with_temperature(probabilities, temperature)
    right, sure = after.argmax(1) == labels, after.max(1) >= threshold
    return {
        "temperature": temperature,
        "threshold": threshold,
        "images": len(labels),
        "accuracy": float(right.mean()),
        "sure": float(sure.mean()),
        "accuracy_of_sure": float(right[sure].mean()) if sure.any() else None,
        "nll": [_nll(each, labels) for each in (probabilities, after)],
        "error": [calibration_error(each, labels) for each in (probabilities, after)],
        "reliability": [reliability(each, labels) for each in (probabilities, after)],
    }


def calibration_error(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """Return the mean distance of confidence and accuracy over the points of `reliability`."""
    points = reliability(probabilities, labels)
    return float(sum(n * abs(said - right) for n, said, right in points) / len(labels))


def _nll(probabilities: NDArray[Any], labels: NDArray[np.int64]) -> float:
    of_label = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_label, _LEAST)).mean())


def read_predictions(
    paths: Iterable[str | Path], classes: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Read the probabilities and labels of files that `gcnet evaluate` wrote, one after the other.

    Parameters
    ----------
    paths : iterable of path
        ``predictions.csv`` files.
    classes : int

    Returns
    -------
    probabilities : (N, classes) array
    labels : (N,) array of int

    Raises
    ------
    GcnetError
        A file cannot be read, has other columns, or a cell is no number.
    """
    names = [f"prob{label}" for label in range(classes)]
    found: list[list[float]] = []
    for path in paths:
        try:
            with open(path, newline="", encoding="utf-8") as file:
                table = csv.DictReader(file)
                columns = [name for name in table.fieldnames or () if name.startswith("prob")]
                if columns != names or "label" not in (table.fieldnames or ()):
                    raise GcnetError(
                        f"{path}: found the columns {', '.join(columns) or 'of no prediction'}; "
                        f"wanted label and {names[0]} to {names[-1]}"
                    )
                found += [[float(row[name]) for name in ("label", *names)] for row in table]
        except OSError as error:
            raise GcnetError(f"{path}: cannot be read: {error.strerror}") from None
        except (ValueError, TypeError) as error:
            raise GcnetError(f"{path}: a cell is no number: {error}") from None
    if not found:
        raise GcnetError("no prediction to calibrate with")
    values = np.array(found)
    return values[:, 1:], values[:, 0].astype(np.int64)
