"""The results of a run (see `summary`) as files and as a plain table."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gcnet_caffe import files
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.evaluation.summary import MethodResult, Results, Spread
from gcnet_caffe.evaluation.told import note_of

_SPREAD = ("mean", "std", "pooled")


def write_results(results: Results, run: str | Path) -> None:
    """Write results.json and results.csv (one row per method) to the folder of a run.

    The column `note` of results.csv says which methods must not be compared with others, and why.

    Parameters
    ----------
    results : dict
        What `summarize` returns.
    run : str or Path
    """
    folder, folds = RunFolder(Path(run)), results["folds"]
    rows = [
        [*_row(method, folds), note_of(method["method"], results["classes"])]
        for method in results["methods"]
    ]
    files.write_csv(folder.results_table, _header(folds), rows)
    files.write_text(folder.results_file, json.dumps(results, indent=1) + "\n")


def _header(folds: list[str]) -> list[str]:
    scores = [f"{name}_{of}" for name in ("accuracy", "sequence_accuracy") for of in _SPREAD]
    about = ["method", "kind", "setting", "seed", "parameters", "folds_done", "folds_expected"]
    return [*about, *scores, *(f"accuracy_{fold}" for fold in folds), "note"]


def _row(method: MethodResult, folds: list[str]) -> list[object]:
    spreads: list[Any] = [method["accuracy"], method["sequence_accuracy"]]
    scores = [spread[of] for spread in spreads for of in _SPREAD]
    scores += [method["folds"].get(fold, {}).get("accuracy") for fold in folds]
    about = (method["method"], method["kind"], method["setting"])
    numbers = ("" if n is None else n for n in (method["seed"], method["parameters"]))
    counts = (len(method["folds"]), len(folds))
    return [*about, *numbers, *counts, *("" if v is None else f"{v:.6f}" for v in scores)]


def results_text(results: Results) -> str:
    """Return the results (what `summarize` returns) as a table; below it notes, what is missing."""
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
    data = ", synthetic faces" if results["synthetic"] else ""
    chance = "-" if results["chance"] is None else f"{results['chance']:.4f}"
    title = f"{results['name']}: {results['protocol']}{data}, largest class {chance}"
    notes = dict.fromkeys(note_of(m["method"], results["classes"]) for m in results["methods"])
    return "\n".join([title, *lines, *filter(None, notes), *_missing_lines(results)])


def _mean_text(score: Spread) -> str:
    if score["mean"] is None:
        return "-"
    spread = "" if score["std"] is None else f" ± {score['std']:.4f}"
    return f"{score['mean']:.4f}{spread}"


def _missing_lines(results: Results) -> Iterator[str]:
    for method in results["methods"]:
        seed = "" if method["seed"] is None else f" seed {method['seed']}"
        for fold, reason in method["missing"].items():
            yield f"missing: {method['method']} {method['setting']}{seed} {fold}: {reason}"
    for job in (*results["pretrain"], *results["start"]):
        if job["reason"]:
            yield f"missing: {job['folder']}: {job['reason']}"
