"""Accuracy by the intensity of the expression: over the frames of sequences, from onset to apex."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.report import bands, compare
from gcnet_caffe.report.answers import Answers, read_answers
from gcnet_caffe.report.blocks import EMPTY, Block, Cell, Missing, Shown, Table, signed
from gcnet_caffe.report.run import Run
from gcnet_caffe.report.sequences import intensities
from gcnet_caffe.report.tables import QUESTIONS

#: Middle of a bin -> (below all of its frames, the last); the first frame, 0, is neutral.
BINS = {0.1: (0.0, 0.2), 0.3: (0.2, 0.4), 0.5: (0.4, 0.6), 0.7: (0.6, 0.8), 0.9: (0.8, 1.0)}
_COLUMNS = {x: f"{low:.1f} to {high:.1f}" for x, (low, high) in BINS.items()}
#: Method -> fold -> bin -> answers to the frames in it.
_Found = Mapping[str, Mapping[str, Mapping[float, Answers]]]


def intensity(run: Run) -> list[Block]:
    """Show accuracy over the intensity: curves, their numbers, and differences in each bin."""
    found: dict[str, dict[str, dict[float, Answers]]] = {}
    missing: list[Block] = []
    for name in dict.fromkeys(m.method for m in run.main if m.kind == "net" and m.folds):
        try:
            found[name] = _by_bin(run, name)
        except (GcnetError, OSError, ValueError) as error:
            missing.append(Missing(f"{run.name_of(name)}: no frames of sequences: {error}"))
    shared = sorted(set[str]().union(*found.values()).intersection(*found.values()))
    if not shared:
        return missing or [Missing("No fold has a result of every net.")]
    lines = {
        name: [
            bands.point(x, accuracies)
            for x in BINS
            if (accuracies := {f: folds[f][x].accuracies for f in shared if x in folds[f]})
        ]
        for name, folds in found.items()
    }
    return [
        *missing,
        bands.figure(
            run,
            lines,
            "intensity (place of the frame between onset, 0, and apex, 1)",
            "Accuracy per frame over the intensity of the expression, on every frame of the test "
            "sequences (no counterpart in the paper, whose test images are near the apex).",
        ),
        bands.table(
            run,
            lines,
            "intensity",
            "The numbers of the figure: accuracy (%) per frame in each fifth of the sequences, "
            "± standard error over folds and seeds.",
            _COLUMNS,
        ),
        *_differences(run, found),
    ]


def _by_bin(run: Run, name: str) -> dict[str, dict[float, Answers]]:
    seeds = [m for m in run.main if m.method == name]
    found = {}
    for fold in run.folds:
        if not any(fold in m.folds for m in seeds):
            continue
        answers = read_answers(run.folder, seeds, fold, lambda folder: folder.every_frame)
        where = intensities([(row["sequence"], row["rank"]) for row in answers.rows])
        bins = {
            x: answers.those((where > low) & (where <= high)) for x, (low, high) in BINS.items()
        }
        found[fold] = {x: frames for x, frames in bins.items() if frames.rows}
    return found


def _differences(run: Run, found: _Found) -> list[Block]:
    """Return the table of differences, if there are methods to compare."""
    compared = {m.method for m in run.compared} & found.keys()
    rows: list[list[Shown]] = [
        [f"{one} − {other}", *(_cell(found, one, other, x) for x in BINS)]
        for comparisons in QUESTIONS.values()
        for _, one, other in comparisons
        if {one, other} <= compared
    ]
    if not rows:
        return []
    return [
        Table(
            "intensity-differences",
            "Differences of accuracy (points) in each fifth of the sequences, with their 95 % "
            "intervals (no counterpart in the paper).",
            ["comparison", *_COLUMNS.values()],
            rows,
            words=("comparison",),
            note=f"Marked: the interval excludes 0. {compare.ABOUT_INTERVAL}",
        )
    ]


def _cell(found: _Found, one: str, other: str, x: float) -> Shown:
    pairs = {
        fold: (bins[x], found[other][fold][x])
        for fold, bins in found[one].items()
        if x in bins and x in found[other].get(fold, {})
    }
    if not pairs:
        return EMPTY
    folds = {
        fold: float(np.mean(a.accuracies) - np.mean(b.accuracies)) for fold, (a, b) in pairs.items()
    }
    interval, subjects = compare.bootstrap(pairs.values())
    difference = compare.Difference(folds, interval, subjects)
    within = f" ({interval})" if interval else ""
    return Cell(f"{signed(100 * difference.mean)}{within}", "best" if difference.clear else "")
