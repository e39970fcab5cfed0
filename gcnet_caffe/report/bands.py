"""Accuracy of several methods over something, as curves with bands: standard errors."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gcnet_caffe.evaluation.told import note_of
from gcnet_caffe.report.blocks import EMPTY, Figure, Shown, Table
from gcnet_caffe.report.pictures import COLOURS, GREY, blank, style, svg_uri
from gcnet_caffe.report.run import LABELS, Run

#: What a band is, for captions.
ABOUT_BAND = (
    "Line: mean over folds and seeds; band: ± one standard error over them, as if they were "
    "independent. Dashed and grey: always answering the largest class."
)


class Point(NamedTuple):
    """Accuracy (0..1) at `x`; `error` is the standard error, None of a single value."""

    x: float
    mean: float
    error: float | None


#: Method -> its points from left to right.
Lines = Mapping[str, Sequence[Point]]


def point(x: float, by_fold: Mapping[str, Sequence[float]]) -> Point:
    """Return the point at `x`: a mean over folds of means over seeds, with a standard error.

    Parameters
    ----------
    x : float
    by_fold : mapping
        Fold -> the accuracy (0..1) of each seed, at least one.
    """
    values = [value for seeds in by_fold.values() for value in seeds]
    mean = float(np.mean([np.mean(seeds) for seeds in by_fold.values()]))
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return Point(x, mean, error)


def figure(
    run: Run, lines: Lines, xlabel: str, caption: str, ticks: Collection[float] = ()
) -> Figure:
    """Draw `lines`; what may not be compared with the others is dashed.

    Parameters
    ----------
    run : Run
    lines : mapping
    xlabel, caption : str
        Of the axis; what stands below the picture, before `ABOUT_BAND`.
    ticks : collection of float
        Where x is written, on a logarithmic axis; without them the axis is linear.
    """
    with style():
        drawn = blank((6.4, 3.6))
        axis = drawn.subplots()
        axis.axhline(100 * (run.chance or 0), color=GREY, lw=0.8, ls="--")
        for name, points in lines.items():
            colour = COLOURS[[*LABELS, name].index(name) % len(COLOURS)]
            dashes = ":" if note_of(name, run.classes) else "-"
            x, mean, error = np.array(
                [(p.x, 100 * p.mean, 100 * (p.error or 0)) for p in points]
            ).T.round(4)
            axis.fill_between(x, mean - error, mean + error, color=colour, alpha=0.18, lw=0)
            axis.plot(x, mean, color=colour, ls=dashes, lw=1.6, marker="o", ms=3)
            axis.plot([], [], color=colour, ls=dashes, lw=1.6, label=run.name_of(name))
        if ticks:
            axis.set_xscale("log")
            axis.set_xticks([*ticks], [f"{tick:,g}" for tick in ticks])
            axis.minorticks_off()
        axis.set(xlabel=xlabel, ylabel="accuracy (%)", ylim=(0, 100))
        axis.grid(axis="y", color="#e6e6e6", lw=0.6)
        drawn.legend(loc="outside lower center", ncols=3, fontsize=8)
        uri = svg_uri(drawn)
    names = ", ".join(map(run.name_of, lines))
    alt = f"Accuracy of {names} over the {xlabel}, each a curve with a band"
    return Figure(uri, alt, f"{caption} {ABOUT_BAND}", wide=True)


def table(
    run: Run, lines: Lines, key: str, caption: str, columns: Mapping[float, str], note: str = ""
) -> Table:
    """Return the numbers of `lines` at the x of `columns`, whose values are the columns' names."""
    rows = [[run.name_of(name), *_cells(points, columns)] for name, points in lines.items()]
    names = ["method", *columns.values()]
    return Table(key, caption, names, rows, words=("method",), note=note)


def _cells(points: Sequence[Point], columns: Collection[float]) -> list[Shown]:
    found = {p.x: p for p in points}
    return [_cell(found[x]) if x in found else EMPTY for x in columns]


def _cell(found: Point) -> str:
    mean = f"{100 * found.mean:.1f}"
    return mean if found.error is None else f"{mean} ± {100 * found.error:.1f}"
