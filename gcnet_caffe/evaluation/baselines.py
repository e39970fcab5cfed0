"""Two classifiers without a network, on the same LMDBs: HOG or LBP features and a linear SVM.

Both see what the nets see in the TEST phase: the centre 64x64 crop of the query. They train on the
copies that are not augmented (``_000``) and standardise each feature by the training images.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.feature import hog, local_binary_pattern

from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.errors import LmdbError, extra
from gcnet_caffe.evaluation.classification import classification
from gcnet_caffe.inference.images import CROP, Records, read_images
from gcnet_caffe.packing.provenance import read_classes
from gcnet_caffe.packing.record_table import read_test_records

#: Penalty of the SVM's errors, one value for every data set: for HOG the best of 1e-4, 1e-3, ..., 1
#: in five-fold cross-validation by subject over synthetic faces (seed 1000) of no experiment.
C = 0.001
_ITERATIONS = 20000  # of the solver, at most; it stops at its tolerance long before
_LBP_CELL = 8  # pixels
_LBP_CODES = 59  # 58 uniform patterns of 8 neighbours, and one for all the others


def hog_features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute histograms of oriented gradients.

    Parameters
    ----------
    images : (N, 64, 64) array of uint8

    Returns
    -------
    (N, 1764) array
        9 orientations in 8x8 cells of 8x8 pixels, normalised (L2-Hys) in 7x7 blocks of 2x2 cells.

    References
    ----------
    Dalal and Triggs, Histograms of oriented gradients for human detection, CVPR 2005.
    """
    layout = {"orientations": 9, "pixels_per_cell": (8, 8), "cells_per_block": (2, 2)}
    return np.array([hog(image, block_norm="L2-Hys", **layout) for image in images])


def lbp_features(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Compute histograms of uniform local binary patterns.

    Parameters
    ----------
    images : (N, 64, 64) array of uint8

    Returns
    -------
    (N, 3776) array
        The shares of the 59 codes LBP(8, 1; u2) in each of 8x8 cells of 8x8 pixels.

    References
    ----------
    Shan, Gong and McOwan, Facial expression recognition based on local binary patterns, Image and
    Vision Computing 27 (2009).
    """
    return np.array([_lbp_histograms(image) for image in images])


def _lbp_histograms(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    codes = local_binary_pattern(image, P=8, R=1, method="nri_uniform").astype(int)
    count = CROP // _LBP_CELL
    cells = codes.reshape(count, _LBP_CELL, count, _LBP_CELL).swapaxes(1, 2).reshape(count**2, -1)
    counts = [np.bincount(cell, minlength=_LBP_CODES) for cell in cells]
    return np.concatenate(counts) / _LBP_CELL**2


#: Name of a baseline -> its features of (N, 64, 64) images of uint8.
KINDS: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float64]]] = {
    "hog-svm": hog_features,
    "lbp-svm": lbp_features,
}


def baseline(kind: str, data: str | Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train the baseline `kind` on `data`/train_lmdb, score it on `data`/test_lmdb.

    Training images with the ignored label K (neutral, where it is no class) are left out.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    data : str or Path
        A folder that `gcnet make-lmdb pairs` wrote.

    Returns
    -------
    scores : dict
        `images` and what `classification` returns.
    outputs : dict
        `records` of the test LMDB, `about` (its `classes` and `records`, as `classification` takes
        them) and `score` (N x K, signed distances to the planes, not probabilities).

    Raises
    ------
    LmdbError
        The folder has no packed pairs, or they cannot be read.
    UsageError
        scikit-learn is missing.
    """
    data, features = Path(data), KINDS[kind]
    classes = read_classes(data)
    if not classes:
        raise LmdbError(f"{data}: no packed.json with classes; wanted what make-lmdb pairs writes")
    count = len(classes) + (NEUTRAL not in classes)
    images, labels = training_images(data / "train_lmdb", len(classes), count)
    test = read_images(data / "test_lmdb")
    about: dict[str, Any] = {"classes": classes, "records": read_test_records(data, test.keys)}
    score = svm_scores(features(images), labels, features(_pixels(test)), len(classes))
    scores: dict[str, Any] = {"images": len(test.labels)}
    scores.update(classification(score, test.labels, **about, origin=kind))
    return scores, {"records": test, "about": about, "score": score}


def training_images(
    path: Path, classes: int, count: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return what a baseline trains on: the copies of an LMDB that are not augmented.

    Parameters
    ----------
    path : Path
        The LMDB.
    classes : int
        How many there are. Images with a label from `classes` on are left out: neutral queries,
        where neutral is no class.
    count : int
        How many labels there are, with that of neutral. Those of `make-lmdb --partial` are raised
        by it, and count as what they were.

    Returns
    -------
    images : (M, 64, 64) array of uint8
    labels : (M,) array of int
        0..classes-1.

    Raises
    ------
    LmdbError
        The LMDB cannot be read, or its images have fewer than two of the classes.
    """
    records = read_images(path, suffix="_000")
    labels = records.labels % count
    kept = labels < classes
    if len(set(labels[kept])) < 2:
        raise LmdbError(f"{path}: the images have fewer than two of the {classes} classes")
    return _pixels(records)[kept], labels[kept]


def _pixels(records: Records) -> NDArray[np.uint8]:
    return np.rint(records.images[:, 0] * 255).astype(np.uint8)


def svm_scores(
    train: NDArray[np.floating],
    labels: NDArray[np.int64],
    test: NDArray[np.floating],
    classes: int,
) -> NDArray[np.float64]:
    """Train a linear SVM, one class against the rest, and return its decisions on `test`.

    Parameters
    ----------
    train, test : (M, F) and (N, F) array
    labels : (M,) array of int
        0..classes-1, at least two of them.
    classes : int

    Returns
    -------
    (N, classes) array
        Signed distances; -inf for a class without training images.

    Raises
    ------
    UsageError
        scikit-learn is not installed.
    """
    with extra("report", "gcnet baseline"):
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import LinearSVC

    machine = LinearSVC(C=C, dual=True, random_state=0, max_iter=_ITERATIONS)
    machine = make_pipeline(StandardScaler(), machine).fit(train, labels)
    decisions = machine.decision_function(test)
    if decisions.ndim == 1:  # two classes: the second's distance
        decisions = np.stack([-decisions, decisions], 1)
    scores = np.full((len(test), classes), -np.inf)
    scores[:, machine.classes_] = decisions
    return scores
