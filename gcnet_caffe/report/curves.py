"""Losses and accuracies over the iterations, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

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
from gcnet_caffe.report.blocks import Block, Figure, Hole, Section, Text
from gcnet_caffe.report.pictures import COLOURS, GREY, drawing, panels, svg_uri
from gcnet_caffe.report.run import Method, Run

#: The points of a curve: (iteration, value).
Points = Sequence[Sequence[float]]
#: Name of a line -> panel -> its points; None where it has none.
Lines = Mapping[str, Mapping[str, Optional[Points]]]
#: (method, fold) -> what `read_log` returns.
_Logs = dict[tuple[str, str], Series]

_POINTS = 60  # of a curve; more are averaged in groups
#: Losses of the train log -> how the paper calls them.
_LOSSES = {
    LOSS_CLASSIFICATION: "classification, eq. (4)",
    LOSS_CONTRASTIVE: "contrastive, eq. (6)",
    LOSS_GENERATION: "generation, eq. (5)",
    LOSS_QUERY: "reconstruction of the query, eq. (8)",
    LOSS_REFERENCE: "reconstruction of the reference, eq. (9)",
}


def curves_section(run: Run) -> Section:
    """Return test accuracy, training loss, and the losses of S1R1: a panel per fold."""
    section = Section("curves", "Accuracy and loss curves", short="Curves")
    nets = [m for m in run.main if m.kind == "net"]
    first = {m.method: m for m in reversed(nets)}  # the first seed of each
    nets = [m for m in nets if first[m.method] is m]
    folds = [fold for fold in run.folds if any(fold in m.folds for m in nets)]
    if not folds:
        section.blocks.append(Hole("No training of this run was finished."))
        return section
    section.blocks.append(
        Text(
            "Every accuracy in this report is that of the last snapshot. The curves show what "
            "came before it; no best iteration is chosen on the test fold."
        )
    )
    section.blocks += _accuracies(run, nets, folds)
    logs, reasons = _logs(run, nets)
    section.blocks += [Hole(reason) for reason in reasons]
    section.blocks += _losses(nets, folds, logs)
    return section


def _accuracies(run: Run, nets: Sequence[Method], folds: Sequence[str]) -> list[Block]:
    curves = {(m.method, f): m.folds[f].get("curve") for m in nets for f in folds if f in m.folds}
    lines = {key: [(i, 100 * a) for i, a in curve] for key, curve in curves.items() if curve}
    if not lines:
        return [Hole("results.json has no accuracy over the iterations.")]
    uri = small_multiples(
        folds,
        {m.label: {f: lines.get((m.method, f)) for f in folds} for m in nets},
        "accuracy (%)",
        level=100 * (run.chance or 0),
    )
    alt = f"Test accuracy over iterations, {len(folds)} panels, one line for each of {_names(nets)}"
    caption = (
        "Test accuracy over the iterations of training, one panel per fold (no counterpart in the "
        "paper). Dashed: always answering the largest class."
    )
    return [Figure(uri, alt, caption, wide=True)]


def _losses(nets: Sequence[Method], folds: Sequence[str], logs: _Logs) -> list[Block]:
    blocks: list[Block] = []
    name = LOSS_CLASSIFICATION
    found: Lines = {
        m.label: {f: logs.get((m.method, f), {}).get(("Train", name)) for f in folds} for m in nets
    }
    if any(any(lines.values()) for lines in found.values()):
        uri = small_multiples(folds, found, "classification loss")
        alt = f"Training loss of {_names(nets)} over iterations, {len(folds)} panels"
        text = (
            "Classification loss on the training batches, one panel per fold, averaged over "
            "neighbouring display lines (no counterpart in the paper)."
        )
        blocks.append(Figure(uri, alt, text, wide=True))
    shown = next((m for m in nets if m.method == "S1R1"), None)
    own = {f: logs.get(("S1R1", f), {}) for f in folds} if shown else {}
    found = {
        text: {f: log.get(("Train", name)) for f, log in own.items()}
        for name, text in _LOSSES.items()
    }
    if any(any(lines.values()) for lines in found.values()):
        uri = small_multiples(folds, found, "loss of S1R1", log=True)
        text = (
            "The five losses of GCNet S1R1 (equations 4 to 9 of the paper) on the training "
            "batches, unweighted, one panel per fold."
        )
        alt = f"Five training losses of S1R1 over iterations, {len(folds)} panels"
        blocks.append(Figure(uri, alt, text, wide=True))
    return blocks


def _logs(run: Run, nets: Sequence[Method]) -> tuple[_Logs, list[str]]:
    """Return ({(method, fold): series}, reasons why some are missing)."""
    logs: _Logs = {}
    reasons = []
    for m in nets:
        for fold, scores in m.folds.items():
            folder = run.folder.at(scores.get("folder") or ".")
            try:
                logs[m.method, fold] = read_log(folder.log)
            except (GcnetError, OSError) as error:
                reasons.append(f"{m.label}, {fold}: no training loss: {error}")
    return logs, reasons


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
        Name of a line -> panel -> its (iteration, value) points, or None.
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
    with drawing() as plt:
        figure, axes = panels(plt, len(folds), columns, (min(9.6 / columns, 3.2), 1.9))
        handles = {}
        for place, axis in enumerate(axes):
            if level is not None:
                axis.axhline(level, color=GREY, lw=0.8, ls="--")
            for colour, (name, by_fold) in zip(COLOURS, lines.items()):
                series = by_fold.get(folds[place])
                if series:
                    x, y = _thinned(series)
                    handles[name] = axis.plot(x, y, color=colour, lw=1.2)[0]
            axis.set_title(folds[place])
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
