"""All jobs of a run as one table: results.json and results.csv.

results.json::

    name, synthetic, protocol, classes, folds     as in experiment.yaml
    chance         share of the largest class of all test images, null before any job is done
    methods[]      one per net or baseline, setting and seed
      method, kind ('net' or 'baseline'), setting, seed (null of a baseline)
      parameters   learnable ones, null of a baseline
      folds{}      by name, those done: images, accuracy, chance, recall (by label), confusion,
                   sequences and sequence_accuracy (null without sequences), curve, folder, and
                   the scores of the images that the net makes; a generator alone has no accuracy
      missing{}    by name, the others: why
      accuracy, sequence_accuracy    mean, std (ddof 1, null of fewer than two folds), pooled
      recall       by label, pooled; null where the class has no test image
      confusion    pooled counts, row = true label
    pretrain[]     net, setting, seed, parameters, evaluation (null where it failed), reason, folder

Every figure is of the last iteration, never of the best: the test fold chooses nothing. `curve` is
[[iteration, accuracy], ...] of the log's TEST phase, to look at; in a net of `make-net --fit-test`,
which tests every image once, it ends at the accuracy per image.
"""

from pathlib import Path

import numpy as np

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.evaluation import IMAGE_TARGETS
from gcnet_caffe.evaluation.parameters import learnable_parameters
from gcnet_caffe.evaluation.run_folder import read_experiment, read_job

_FOLD_KEYS = ("images", "accuracy", "chance", "recall", "confusion")


def summarize(run):
    """Collect what the jobs of the folder `run` found; return the results (see the module).

    Raises
    ------
    UsageError
        `run` is no run's folder.
    GcnetError
        A file of it cannot be read; the message names it.
    """
    run = Path(run)
    experiment = read_experiment(run)
    methods = [_net(run, experiment, *which) for which in _nets(experiment)]
    methods += [_baseline(run, experiment, name) for name in experiment["baselines"]]
    head = {key: experiment[key] for key in ("name", "synthetic", "protocol", "classes", "folds")}
    return {**head, "chance": _chance(methods), "methods": methods, "pretrain": _pretrain(run)}


def _nets(experiment):
    for setting, variant in experiment["nets"]:
        for seed in experiment["seeds"]:
            yield setting, variant, seed


def _net(run, experiment, setting, variant, seed):
    base = run / "nets" / setting / variant
    jobs = {fold: base / fold / f"seed{seed}" for fold in experiment["folds"]}
    about = {"method": variant, "kind": "net", "setting": setting, "seed": seed}
    return _method(run, about, jobs, len(experiment["classes"]))


def _baseline(run, experiment, name):
    jobs = {fold: run / "baselines" / name / fold for fold in experiment["folds"]}
    about = {"method": name, "kind": "baseline", "setting": "default", "seed": None}
    return _method(run, about, jobs, len(experiment["classes"]))


def _method(run, about, jobs, classes):
    folds, missing, weights = {}, {}, []
    for fold, folder in jobs.items():
        facts, reason = read_job(folder, run)
        if reason:
            missing[fold] = reason
            continue
        folds[fold] = _fold(facts, folder, classes)
        weights += [path for path in [folder / "weights.caffemodel"] if path.exists()]
    parameters = learnable_parameters(weights[0]) if weights else None
    done = folds.values()
    classified = [fold for fold in done if fold["accuracy"] is not None]
    confusion = np.sum([fold["confusion"] for fold in classified], 0) if classified else None
    return {
        **about,
        "parameters": parameters,
        "folds": folds,
        "missing": missing,
        "accuracy": over_folds([(fold["accuracy"], fold["images"]) for fold in classified]),
        "sequence_accuracy": over_folds(
            [(fold["sequence_accuracy"], fold["sequences"]) for fold in done if fold["sequences"]]
        ),
        "recall": [None] * classes if confusion is None else recall_of(confusion),
        "confusion": None if confusion is None else confusion.tolist(),
    }


def _fold(facts, folder, classes):
    images = [blob for blob in IMAGE_TARGETS if blob in facts]
    for key in _FOLD_KEYS:
        if key not in facts and not images:
            raise GcnetError(f"{folder / 'evaluation.json'}: key {key!r} is missing")
    if "confusion" in facts and np.shape(facts["confusion"]) != (classes, classes):
        raise GcnetError(
            f"{folder / 'evaluation.json'}: confusion is {np.shape(facts['confusion'])}, "
            f"experiment.yaml has {classes} classes"
        )
    keys = (*_FOLD_KEYS, "sequences", "sequence_accuracy")
    found = {**{key: facts.get(key) for key in keys}, **{blob: facts[blob] for blob in images}}
    return {**found, "curve": facts["curve"], "folder": facts["folder"]}


def over_folds(scores):
    """Return the mean, standard deviation and pooled value of accuracies over folds.

    Parameters
    ----------
    scores : sequence of (accuracy, count)
        `count`: how many images or sequences the accuracy is of.

    Returns
    -------
    dict
        `mean` and `std` (of a sample: ddof 1) give each fold the same weight, `pooled` each image;
        None where there are too few folds.
    """
    if not scores:
        return {"mean": None, "std": None, "pooled": None}
    values, counts = zip(*scores)
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "pooled": float(np.average(values, weights=counts)),
    }


def recall_of(confusion):
    """Return the recall of each row of a confusion matrix, None where the row is empty."""
    rows = np.asarray(confusion)
    return [float(row[k] / row.sum()) if row.sum() else None for k, row in enumerate(rows)]


def _chance(methods):
    """The largest class's share of the test images, from the method that saw most of them."""
    seen = [np.sum(method["confusion"], 1) for method in methods if method["confusion"]]
    most = max(seen, key=np.sum, default=None)
    return None if most is None else float(most.max() / most.sum())


def _pretrain(run):
    found = []
    for folder in sorted(run.glob("pretrain/*/*/seed*")):
        facts, reason = read_job(folder, run)
        weights = folder / "weights.caffemodel"
        curve, _ = (facts.pop("curve"), facts.pop("folder")) if facts else ([], None)
        found.append(
            {
                "net": folder.parent.name,
                "setting": folder.parent.parent.name,
                "seed": int(folder.name[len("seed") :]),
                "parameters": learnable_parameters(weights) if weights.exists() else None,
                "evaluation": facts,
                "reason": reason,
                "curve": curve,
                "folder": folder.relative_to(run).as_posix(),
            }
        )
    return found
