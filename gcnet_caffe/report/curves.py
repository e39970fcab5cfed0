"""Losses and accuracies over the iterations, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats.log import Series, read_log
from gcnet_caffe.nets.layer_names import (
    LOSS_CLASSIFICATION,
    LOSS_CONTRASTIVE,
    LOSS_GENERATION,
    LOSS_QUERY,
    LOSS_REFERENCE,
)
from gcnet_caffe.report import bands
from gcnet_caffe.report.blocks import Block, Figure, Missing, Text
from gcnet_caffe.report.pictures import COLOURS, GREY, panels, style, svg_uri
from gcnet_caffe.report.run import Method, Run, one_seed

#: The points of a curve: (iteration, value).
Points = Sequence[Sequence[float]]
#: Name of a line -> panel -> its points.
Lines = Mapping[str, Mapping[str, Points]]
#: (method, fold) -> what `read_log` returns.
_Logs = dict[tuple[str, str], Series]

#: Iterations whose accuracy is written in numbers, where they were tested; and the last.
_ITERATIONS = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
_POINTS = 60  # of a curve; more are averaged in groups
#: Losses of the train log -> how the paper calls them.
_LOSSES = {
    LOSS_CLASSIFICATION: "classification, eq. (4)",
    LOSS_CONTRASTIVE: "contrastive, eq. (6)",
    LOSS_GENERATION: "generation, eq. (5)",
    LOSS_QUERY: "reconstruction of the query, eq. (8)",
    LOSS_REFERENCE: "reconstruction of the reference, eq. (9)",
}


def curves(run: Run) -> list[Block]:
    """Return test accuracy, training loss, and the losses of S1R1: a panel per fold."""
    nets = one_seed([m for m in run.compared if m.kind == "net"])
    folds = [fold for fold in run.folds if any(fold in m.folds for m in nets)]
    if not folds:
        return [Missing("No training of this run was finished.")]
    text = Text(
        "Every accuracy in this report is that of the last snapshot. The curves show what "
        "came before it; no best iteration is chosen on the test fold."
    )
    logs, missing = _logs(run, nets)
    return [
        text,
        _accuracies(run, nets, folds),
        *_by_iterations(run),
        *missing,
        *_losses(nets, folds, logs),
    ]


def _accuracies(run: Run, nets: Sequence[Method], folds: Sequence[str]) -> Block:
    lines = {
        m.label: {
            fold: [(i, 100 * accuracy) for i, accuracy in scores.get("curve") or ()]
            for fold, scores in m.folds.items()
        }
        for m in nets
    }
    if not _any(lines):
        return Missing("results.json has no accuracy over the iterations.")
    return Figure(
        small_multiples(folds, lines, "accuracy (%)", level=100 * (run.chance or 0)),
        f"Test accuracy over iterations, {len(folds)} panels, one line for each of {_names(nets)}",
        "Test accuracy over the iterations of training, one panel per fold (no counterpart in the "
        "paper). Dashed: always answering the largest class.",
        wide=True,
    )


def _by_iterations(run: Run) -> list[Block]:
    """Return mean and band of the test accuracy over the iterations, and its numbers at some."""
    lines = {}
    for name in dict.fromkeys(m.method for m in run.main if m.kind == "net"):
        curves: dict[str, list[dict[float, float]]] = {}
        for m in run.main:
            for fold, scores in m.folds.items() if m.method == name else ():
                curves.setdefault(fold, []).append({x: y for x, y in scores.get("curve") or ()})
        each = [curve for seeds in curves.values() for curve in seeds]
        tested = sorted(set(each[0]).intersection(*each) - {0}) if each else []
        if tested:
            lines[name] = [
                bands.point(x, {fold: [c[x] for c in seeds] for fold, seeds in curves.items()})
                for x in tested
            ]
    if not lines:
        return []
    last = max(points[-1].x for points in lines.values())
    found = {p.x for points in lines.values() for p in points}
    shown = [x for x in _ITERATIONS if x in found and x < last] + [last]
    return [
        bands.figure(
            run,
            lines,
            "iteration",
            "Test accuracy over the iterations of training, all folds and seeds (no counterpart in "
            "the paper).",
            ticks=shown,
        ),
        bands.table(
            run,
            lines,
            "iterations",
            "The numbers of the figure at some iterations: accuracy (%), ± standard error over "
            "folds and seeds.",
            {x: f"{x:,g}" for x in shown},
            note="The last column may differ a little from the other tables: as in Caffe, one more "
            "batch passes through the network between the last snapshot and the last test, and "
            "moves the averages of batch normalization.",
        ),
    ]


def _losses(nets: Sequence[Method], folds: Sequence[str], logs: _Logs) -> list[Block]:
    def lines_of(method: str, loss: str) -> dict[str, Points]:
        found = {fold: logs.get((method, fold), {}).get(("Train", loss)) for fold in folds}
        return {fold: points for fold, points in found.items() if points}

    blocks: list[Block] = []
    lines = {m.label: lines_of(m.method, LOSS_CLASSIFICATION) for m in nets}
    if _any(lines):
        blocks.append(
            Figure(
                small_multiples(folds, lines, "classification loss"),
                f"Training loss of {_names(nets)} over iterations, {len(folds)} panels",
                "Classification loss on the training batches, one panel per fold, averaged over "
                "neighbouring display lines (no counterpart in the paper).",
                wide=True,
            )
        )
    lines = {text: lines_of("S1R1", loss) for loss, text in _LOSSES.items()}
    if _any(lines):
        blocks.append(
            Figure(
                small_multiples(folds, lines, "loss of S1R1", log=True),
                f"Five training losses of S1R1 over iterations, {len(folds)} panels",
                "The five losses of GCNet S1R1 (equations 4 to 9 of the paper) on the training "
                "batches, unweighted, one panel per fold.",
                wide=True,
            )
        )
    return blocks


def _any(lines: Lines) -> bool:
    return any(points for by_fold in lines.values() for points in by_fold.values())


def _logs(run: Run, nets: Sequence[Method]) -> tuple[_Logs, list[Missing]]:
    """Return the logs that can be read, and why the others cannot."""
    logs: _Logs = {}
    missing = []
    for m in nets:
        for fold, scores in m.folds.items():
            folder = run.folder.at(scores.get("folder") or ".")
            try:
                logs[m.method, fold] = read_log(folder.log)
            except (GcnetError, OSError) as error:
                missing.append(Missing(f"{m.label}, {fold}: no training loss: {error}"))
    return logs, missing


def small_multiples(
    folds: Sequence[str],
    lines: Lines,
    ylabel: str,
    level: float | None = None,
    log: bool = False,
) -> str:
    """Draw a panel per fold (or net), all with the same axes.

    Parameters
    ----------
    folds : sequence of str
        The titles of the panels.
    lines : mapping
        Name of a line -> panel -> its (iteration, value) points.
    ylabel : str
    level : float, optional
        Where a dashed line is drawn; then the values are percentages, 0..100.
    log : bool
        Whether the values have a logarithmic axis.

    Returns
    -------
    str
        An SVG as a data URI.
    """
    columns = min(len(folds), 5)
    with style():
        figure, axes = panels(len(folds), columns, (min(9.6 / columns, 3.2), 1.9))
        handles = {}
        for place, (axis, fold) in enumerate(zip(axes, folds)):
            if level is not None:
                axis.axhline(level, color=GREY, lw=0.8, ls="--")
            for colour, (name, by_fold) in zip(COLOURS, lines.items()):
                if by_fold.get(fold):
                    x, y = _thinned(by_fold[fold])
                    handles[name] = axis.plot(x, y, color=colour, lw=1.2)[0]
            axis.set_title(fold)
            if place + columns >= len(folds):
                axis.set_xlabel("iteration")
                axis.tick_params(labelbottom=True)
            if place % columns == 0:
                axis.set_ylabel(ylabel)
            _scale(axis, log)
        if level is not None:
            axes[0].set_ylim(0, 100)
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, fontsize=8)
        return svg_uri(figure)


def _scale(axis: Any, log: bool) -> None:
    axis.grid(axis="y", color="#e6e6e6", lw=0.6)
    axis.locator_params(axis="x", nbins=4)
    if log:
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("")
    else:
        axis.set_ylim(bottom=0)


def _thinned(series: Points) -> NDArray[np.float64]:
    """Return x and y with at most _POINTS points, neighbours averaged."""
    values = np.array(series, float)
    groups = np.array_split(values, min(_POINTS, len(values)))
    return np.array([group.mean(0) for group in groups]).T.round(5)


def _names(nets: Sequence[Method]) -> str:
    return ", ".join(m.label for m in nets)
