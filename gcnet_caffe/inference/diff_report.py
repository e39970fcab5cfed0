"""The differences of a net's layers as a table, in words, and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gcnet_caffe.inference.layer_diff import Difference, LayerDifference, first_beyond
from gcnet_caffe.plotting import import_pyplot, save_figure

#: The differences of a layer -> how they are called, and drawn.
_KINDS = {
    "weights": ("weights", "s", "tab:green"),
    "tops": ("tops", "o", "tab:blue"),
    "tops_alone": ("alone", "x", "tab:blue"),
    "gradients": ("gradients", "o", "tab:orange"),
    "gradients_alone": ("alone", "x", "tab:orange"),
}
_OF_ITS_OWN = ("weights", "tops_alone", "gradients_alone")


def _kinds(rows: Sequence[LayerDifference]) -> list[str]:
    """Return the kinds of differences that any layer has."""
    return [kind for kind in _KINDS if any(getattr(row, kind) for row in rows)]


def table(rows: Sequence[LayerDifference], tolerance: float) -> str:
    """Return one line per layer; those that differ by themselves end in `*`."""
    kinds = _kinds(rows)
    cells = [["layer", "type", *(_KINDS[kind][0] for kind in kinds)]]
    for row in rows:
        mark = " *" if row.beyond(tolerance, *_OF_ITS_OWN) else ""
        numbers = [_number(getattr(row, kind)) for kind in kinds]
        cells.append([row.layer, row.type, *numbers[:-1], *(n + mark for n in numbers[-1:])])
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    return "\n".join(lines)


def _number(found: Difference | None) -> str:
    return "-" if found is None else f"{found.relative:.1e}" if found.relative else "0"


def verdict(rows: Sequence[LayerDifference], tolerance: float) -> str:
    """Return which layer is the first that differs, and which ones do by themselves."""
    first = first_beyond(rows, tolerance)
    if first is None:
        return f"{len(rows)} layers: all differences are within {tolerance:g}"
    row, found = first
    own = [row.layer for row in rows if row.beyond(tolerance, *_OF_ITS_OWN)]
    return (
        f"{row.layer} ({row.type}) is the first layer that differs: {found.name} by "
        f"{found.relative:.2g}: {found.where}\n"
        f"layers that differ by themselves: {', '.join(own) or 'none: rounding has grown'}"
    )


def draw(rows: Sequence[LayerDifference], tolerance: float, out: str | Path) -> None:
    """Draw the differences of all layers, the first at the top, into the picture `out`.

    What is equal, or differs by less than 1e-9, is at the left edge; what is infinite at the right.

    Raises
    ------
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg; or Matplotlib is not installed.
    """
    plt = import_pyplot()
    figure, axis = plt.subplots(figsize=(7, 1.5 + 0.2 * len(rows)))
    for kind in _kinds(rows):
        name, marker, colour = _KINDS[kind]
        of = kind.split("_")[0] + f", {name}" * kind.endswith("_alone")
        found = [(getattr(row, kind), place) for place, row in enumerate(rows)]
        points = [(min(max(each.relative, 1e-9), 10), place) for each, place in found if each]
        axis.plot(*zip(*points), marker, color=colour, label=of, fillstyle="none")
    axis.axvline(tolerance, color="black", linestyle=":", label="tolerance")
    axis.set(xscale="log", xlim=(6e-10, 16), ylim=(len(rows) - 0.5, -0.5))
    axis.set_xlabel("largest difference / largest number")
    axis.set_yticks(range(len(rows)), [row.layer for row in rows])
    axis.grid(alpha=0.3)
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1))
    figure.tight_layout()
    save_figure(figure, out, dpi=100)
