"""Confusion matrices over all test images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gcnet_caffe.report.blocks import Block, Cell, Figure, Missing, Shown, Table, percent
from gcnet_caffe.report.pictures import INK, panels, style, svg_uri
from gcnet_caffe.report.run import Method, Run, one_seed


def confusions(run: Run) -> list[Block]:
    """Return a matrix of each method, pooled over folds, and the recall of each class."""
    methods = one_seed([m for m in run.compared if m.confusion])
    if not methods:
        return [Missing("No method of this run has a confusion matrix.")]
    labels = ", ".join(m.label for m in methods)
    figure = Figure(
        _draw(methods, run.classes),
        f"Confusion matrices of {labels}; the recall of each class is in the table below",
        "Confusion matrices, test images of all folds: the row is the true expression, the "
        "column the predicted one, in percent of the row (no counterpart in the paper).",
        wide=True,
    )
    return [figure, _recalls(methods, run.classes)]


def _draw(methods: Sequence[Method], classes: Sequence[str]) -> str:
    short = [name[:9] for name in classes]
    with style():
        figure, axes = panels(len(methods), 4, (2.4, 2.35), legend=0)
        for axis, method in zip(axes, methods):
            counts = np.array(method.confusion, float)
            share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
            axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
            for (row, column), value in np.ndenumerate(share):
                if value >= 0.5:
                    colour = "white" if value > 55 else INK
                    axis.text(
                        column, row, f"{value:.0f}", ha="center", va="center",
                        fontsize=7, color=colour,
                    )  # fmt: skip
            axis.set_title(method.label)
            axis.set_xticks(range(len(short)), short, rotation=45, ha="right", fontsize=7)
            axis.set_yticks(range(len(short)), short, fontsize=7)
            axis.tick_params(length=0)
            axis.spines[:].set_visible(False)
        return svg_uri(figure)


def _recalls(methods: Sequence[Method], classes: Sequence[str]) -> Table:
    counts = np.array(methods[0].confusion).sum(1)
    rows: list[list[Shown]] = [
        [m.label, *(percent(value, 0) for value in m.recall)] for m in methods
    ]
    rows.append([Cell("test images"), *(str(int(count)) for count in counts)])
    return Table(
        "recall",
        "Recall (%) of each expression, test images of all folds (no counterpart in the paper).",
        ["method", *classes],
        rows,
        words=("method",),
    )
