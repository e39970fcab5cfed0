"""The results of a run (see `summary`) as files and as a plain table."""

import csv
import io
import json
from pathlib import Path

from gcnet_caffe import files

_SPREAD = ("mean", "std", "pooled")


def write_results(results, run):
    """Write results.json and results.csv (one row per method) to the folder `run`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_header(results["folds"]))
    writer.writerows(_row(method, results["folds"]) for method in results["methods"])
    files.write_text(Path(run) / "results.csv", text.getvalue())
    files.write_text(Path(run) / "results.json", json.dumps(results, indent=1) + "\n")


def _header(folds):
    scores = [f"{name}_{of}" for name in ("accuracy", "sequence_accuracy") for of in _SPREAD]
    about = ["method", "kind", "setting", "seed", "parameters", "folds_done", "folds_expected"]
    return [*about, *scores, *(f"accuracy_{fold}" for fold in folds)]


def _row(method, folds):
    scores = [method[name][of] for name in ("accuracy", "sequence_accuracy") for of in _SPREAD]
    scores += [method["folds"].get(fold, {}).get("accuracy") for fold in folds]
    about = [method[key] for key in ("method", "kind", "setting", "seed", "parameters")]
    cells = ["" if value is None else value for value in about]
    cells += [len(method["folds"]), len(folds)]
    return cells + ["" if value is None else f"{value:.6f}" for value in scores]


def results_text(results):
    """Return the results as a plain table, and below it what is missing and why."""
    rows = [["method", "setting", "seed", "accuracy", "pooled", "of sequences", "folds"]]
    for method in results["methods"]:
        accuracy = method["accuracy"]
        rows.append(
            [
                method["method"],
                method["setting"],
                "" if method["seed"] is None else str(method["seed"]),
                _mean_text(accuracy),
                "-" if accuracy["pooled"] is None else f"{accuracy['pooled']:.4f}",
                _mean_text(method["sequence_accuracy"]),
                f"{len(method['folds'])}/{len(results['folds'])}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(f"{c:{w}}" for c, w in zip(row, widths)).rstrip() for row in rows]
    data = "synthetic faces" if results["synthetic"] else "real faces"
    chance = "-" if results["chance"] is None else f"{results['chance']:.4f}"
    title = f"{results['name']}: {results['protocol']}, {data}, largest class {chance}"
    return "\n".join([title, *lines, *_missing_lines(results)])


def _mean_text(score):
    if score["mean"] is None:
        return "-"
    spread = "" if score["std"] is None else f" ± {score['std']:.4f}"
    return f"{score['mean']:.4f}{spread}"


def _missing_lines(results):
    for method in results["methods"]:
        seed = "" if method["seed"] is None else f" seed {method['seed']}"
        for fold, reason in method["missing"].items():
            yield f"missing: {method['method']} {method['setting']}{seed} {fold}: {reason}"
    for job in results["pretrain"]:
        if job["reason"]:
            yield f"missing: {job['folder']}: {job['reason']}"
