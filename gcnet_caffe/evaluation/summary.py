"""All jobs of a run as one table: results.json and results.csv.

results.json::

    name, synthetic, protocol, classes, folds     as in experiment.yaml
    chance         share of the largest class of all test images, null before any job is done
    methods[]      one per net or baseline, setting and seed
      method, kind ('net' or 'baseline'), setting, seed (null of a baseline)
      parameters   learnable ones, null of a baseline
      folds{}      by name, those done: images, accuracy, chance, recall (by label), confusion,
                   sequences and sequence_accuracy (null without sequences), curve, folder, and
                   the scores of the images that the net makes (`evaluation.IMAGE_SCORES`); a
                   generator alone has no accuracy
      missing{}    by name, the others: why
      accuracy, sequence_accuracy    mean, std (ddof 1, null of fewer than two folds), pooled
      recall       by label, pooled; null where the class has no test image
      confusion    pooled counts, row = true label
    pretrain[]     net, setting, seed, parameters, evaluation (null where it failed), reason, folder
    start[]        the same of the nets that those of the folds started from

Every figure is of the last iteration, never of the best: the test fold chooses nothing. `curve` is
[[iteration, accuracy], ...] of the log's TEST phase, to look at; in a net of `make-net --fit-test`,
which tests every image once, it ends at the accuracy per image.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np
from numpy.typing import ArrayLike

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.evaluation import IMAGE_SCORES
from gcnet_caffe.evaluation.parameters import learnable_parameters
from gcnet_caffe.evaluation.run_folder import Experiment, ResultFolder, RunFolder, people_of

_FOLD_KEYS = ("images", "accuracy", "chance", "recall", "confusion")


class Spread(TypedDict):
    """A score (0..1) over folds: see `over_folds`."""

    mean: float | None
    std: float | None
    pooled: float | None


class FoldScores(TypedDict, total=False):
    """The scores of a method on one fold: see the module's text."""

    images: int
    accuracy: float | None
    chance: float | None
    recall: dict[str, float] | None
    confusion: list[list[int]] | None
    sequences: int | None
    sequence_accuracy: float | None
    generated_reference: dict[str, float]
    generated_reference_query_is_reference: dict[str, float]
    reconstructed_reference: dict[str, float]
    reconstructed_reference_query_is_reference: dict[str, float]
    reconstructed_query: dict[str, float]
    reconstruction: dict[str, float]
    curve: list[list[float]]
    folder: str


class MethodResult(TypedDict):
    """A net or baseline under one setting and seed: see the module's text."""

    method: str
    kind: str
    setting: str
    seed: int | None
    parameters: int | None
    folds: dict[str, FoldScores]
    missing: dict[str, str]
    accuracy: Spread
    sequence_accuracy: Spread
    recall: list[float | None]
    confusion: list[list[int]] | None


class PretrainResult(TypedDict):
    """A net that was trained before those of the folds: see the module's text."""

    net: str
    setting: str
    seed: int
    parameters: int | None
    evaluation: dict[str, Any] | None
    reason: str | None
    curve: list[list[float]]
    folder: str


class Results(TypedDict):
    """What results.json holds: see the module's text."""

    name: str
    synthetic: bool
    protocol: str
    classes: list[str]
    folds: list[str]
    chance: float | None
    methods: list[MethodResult]
    pretrain: list[PretrainResult]
    start: list[PretrainResult]


def summarize(run: str | Path) -> Results:
    """Collect what the jobs of the folder `run` found.

    Parameters
    ----------
    run : str or Path
        Folder of the run.

    Returns
    -------
    dict
        The results (see the module's text).

    Raises
    ------
    UsageError
        `run` is not the folder of a run.
    GcnetError
        A file of it cannot be read; the message says which.
    """
    folder = RunFolder(Path(run))
    experiment = folder.experiment()
    methods = list(_methods(folder, experiment))
    started = experiment.nets if folder.options().get("start") else []
    return {
        "name": experiment.name,
        "synthetic": experiment.synthetic,
        "protocol": experiment.protocol,
        "classes": experiment.classes,
        "folds": experiment.folds,
        "chance": _chance(methods),
        "methods": methods,
        "pretrain": [_pretrained(folder, *found) for found in folder.all_pretrained()],
        "start": [
            _pretrained(folder, setting, variant, seed, folder.start(setting, variant, seed))
            for setting, variant in started
            for seed in experiment.seeds
        ],
    }


def _methods(run: RunFolder, experiment: Experiment) -> Iterator[MethodResult]:
    classes = len(experiment.classes)
    for setting, variant in experiment.nets:
        for seed in experiment.seeds:
            folds = {fold: run.net(setting, variant, fold, seed) for fold in experiment.folds}
            yield _method(run, (variant, "net", setting, seed), folds, classes)
    sizes = dict.fromkeys(map(people_of, experiment.settings))
    for name in experiment.baselines:
        for size in sizes:
            folds = {fold: run.baseline(name, fold, size) for fold in experiment.folds}
            setting = "default" if size is None else f"people={size}"
            yield _method(run, (name, "baseline", setting, None), folds, classes)


def _method(
    run: RunFolder,
    about: tuple[str, str, str, int | None],
    folders: Mapping[str, ResultFolder],
    classes: int,
) -> MethodResult:
    method, kind, setting, seed = about
    missing = {fold: why for fold, folder in folders.items() if (why := folder.missing())}
    finished = {fold: folder for fold, folder in folders.items() if fold not in missing}
    folds = {fold: _fold(run, folder, classes) for fold, folder in finished.items()}
    scores = folds.values()
    confusions = [fold["confusion"] for fold in scores if fold["accuracy"] is not None]
    confusion = np.array(confusions).sum(0) if confusions else None
    return {
        "method": method,
        "kind": kind,
        "setting": setting,
        "seed": seed,
        "parameters": _parameters(finished.values()),
        "folds": folds,
        "missing": missing,
        "accuracy": over_folds(_counted(scores, "accuracy", "images")),
        "sequence_accuracy": over_folds(_counted(scores, "sequence_accuracy", "sequences")),
        "recall": [None] * classes if confusion is None else recall_of(confusion),
        "confusion": None if confusion is None else confusion.tolist(),
    }


def _counted(scores: Iterable[Mapping[str, Any]], score: str, count: str) -> list[Any]:
    """Return (score, count) of the folds that have both."""
    return [
        (fold[score], fold[count]) for fold in scores if fold[count] and fold[score] is not None
    ]


def _fold(run: RunFolder, folder: ResultFolder, classes: int) -> FoldScores:
    found = folder.scores()
    images = [blob for blob in IMAGE_SCORES if blob in found]
    for key in _FOLD_KEYS:
        if key not in found and not images:
            raise GcnetError(f"{folder.evaluation}: key {key!r} is missing")
    if "confusion" in found and np.shape(found["confusion"]) != (classes, classes):
        raise GcnetError(
            f"{folder.evaluation}: confusion is {np.shape(found['confusion'])}, "
            f"experiment.yaml has {classes} classes"
        )
    scores = {
        **{key: found.get(key) for key in (*_FOLD_KEYS, "sequences", "sequence_accuracy")},
        **{blob: found[blob] for blob in images},
        "curve": folder.curve(),
        "folder": run.place(folder),
    }
    return cast(FoldScores, scores)


def over_folds(scores: Sequence[tuple[float, int]]) -> Spread:
    """Return the mean, standard deviation and pooled value of accuracies over folds.

    Parameters
    ----------
    scores : sequence of (accuracy, count)
        The accuracy of one fold, 0..1, and how many images or sequences it has.

    Returns
    -------
    dict
        `mean` and `std` (of a sample: ddof 1) give each fold the same weight, `pooled` gives each
        image the same weight; None where there are too few folds.
    """
    if not scores:
        return {"mean": None, "std": None, "pooled": None}
    values, counts = zip(*scores)
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "pooled": float(np.average(values, weights=counts)),
    }


def recall_of(confusion: ArrayLike) -> list[float | None]:
    """Return the recall of each row of a confusion matrix, None where the row is empty."""
    rows = np.asarray(confusion)
    return [float(row[k] / row.sum()) if row.sum() else None for k, row in enumerate(rows)]


def _chance(methods: Iterable[MethodResult]) -> float | None:
    """The largest class's share of the test images, from the method that saw most of them."""
    seen = [np.sum(method["confusion"], 1) for method in methods if method["confusion"]]
    most = max(seen, key=np.sum, default=None)
    return None if most is None else float(most.max() / most.sum())


def _pretrained(
    run: RunFolder, setting: str, net: str, seed: int, folder: ResultFolder
) -> PretrainResult:
    reason = folder.missing()
    return {
        "net": net,
        "setting": setting,
        "seed": seed,
        "parameters": _parameters([folder]),
        "evaluation": None if reason else folder.scores(),
        "reason": reason,
        "curve": [] if reason else folder.curve(),
        "folder": run.place(folder),
    }


def _parameters(folders: Iterable[ResultFolder]) -> int | None:
    """Return the learnable parameters of the first folder that has weights."""
    weights = (folder.weights for folder in folders if folder.weights.exists())
    return next(map(learnable_parameters, weights), None)
