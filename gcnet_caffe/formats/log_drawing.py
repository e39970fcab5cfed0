"""The series of a training log as a picture."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

from gcnet_caffe.formats.log import Series, read_log
from gcnet_caffe.plotting import import_pyplot, save_figure

#: Line and marker of a test net, by its number.
_TEST_STYLES = (("--", "o"), (":", "s"), ("-.", "^"), ("--", "v"), (":", "D"))
_MANY = 10  # values of one output, above which they share a colour and an entry of the legend


def draw_log(path: str | Path, out: str | Path) -> None:
    """Draw every series of the log at `path` into the picture `out`: losses, then the rest.

    A value that is not a number leaves a gap.

    Raises
    ------
    GcnetError
        The file has no line of a training log.
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg; or Matplotlib is not installed.
    """
    plt = import_pyplot()
    series = read_log(path)
    losses = [key for key in series if "loss" in key[1]]
    panels = [keys for keys in (losses, [k for k in series if k not in losses]) if keys]
    labels = [_labels(keys) for keys in panels]
    height = max(4.0, 1 + 0.16 * max(len(set(each.values())) for each in labels))
    figure, axes = plt.subplots(1, len(panels), figsize=(7 * len(panels), height), squeeze=False)
    for axis, keys, names in zip(axes[0], panels, labels):
        _draw_panel(axis, {key: series[key] for key in keys}, names, keys is losses)
    figure.tight_layout()
    save_figure(figure, out, dpi=100)


def _labels(keys: list[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the legend's entry of each key; many values of one output share theirs."""
    groups: dict[tuple[str, str], list[str]] = {}
    for phase, name in keys:
        groups.setdefault((phase, re.sub(r"\[\d+\]$", "", name)), []).append(name)
    found = {}
    for (phase, _), names in groups.items():
        for name in names:
            shown = f"{names[0]} to {names[-1]}" if len(names) > _MANY else name
            found[phase, name] = f"{shown} ({phase.lower()})"
    return found


def _draw_panel(
    axis: Any, series: Series, labels: dict[tuple[str, str], str], is_loss: bool
) -> None:
    colours: dict[str, int] = {}
    seen: set[str] = set()
    for key in sorted(series, key=lambda key: (_by_number(key[1]), _by_number(key[0]))):
        phase, name = key
        values = [value if math.isfinite(value) else math.nan for _, value in series[key]]
        many = " to " in labels[key]
        colour = colours.setdefault(labels[key].rsplit(" (", 1)[0], len(colours))
        marked: list[int] | None = _alone(values)
        line, marker = "-", "o"
        if phase != "Train":
            number = int("".join(re.findall(r"\d+", phase)) or 0)
            line, marker = _TEST_STYLES[number % len(_TEST_STYLES)]
            marked = None
        axis.plot(
            [iteration for iteration, _ in series[key]],
            values,
            line,
            color=f"C{colour}",
            marker=marker,
            markevery=marked,
            ms=3,
            lw=0.5 if many else 1,
            label="_" if labels[key] in seen else labels[key],
        )
        seen.add(labels[key])
    shown = [v for points in series.values() for _, v in points if math.isfinite(v)]
    if is_loss and shown and min(shown) >= 0 and max(shown) > 0:
        axis.set_yscale("log")
    iterations = [iteration for points in series.values() for iteration, _ in points]
    first, last = min(iterations), max(iterations)
    if first < last:  # also where gaps are
        axis.set_xlim(first - 0.05 * (last - first), last + 0.05 * (last - first))
    axis.set_xlabel("iteration")
    axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))


def _by_number(name: str) -> list[Any]:
    """Return a key that sorts 'a[2]' before 'a[10]'."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def _alone(values: list[float]) -> list[int]:
    """Return the places of numbers without a number beside them: no line would show them."""
    numbers = [False, *map(math.isfinite, values), False]
    return [i for i in range(len(values)) if numbers[i : i + 3] == [False, True, False]]
