"""Matplotlib's figures, without a screen, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gcnet_caffe.errors import UsageError, extra
from gcnet_caffe.files import atomic


def import_pyplot() -> Any:
    """Return matplotlib.pyplot without a screen; a UsageError where it is not installed."""
    with extra("plot", "drawing"):
        import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def check_figure(out: str | Path) -> str:
    """Return the kind of the picture `out`, by the end of its name; a UsageError if it has none."""
    kind = Path(out).suffix.lower().lstrip(".")
    if kind not in ("png", "jpg", "pdf", "svg"):
        raise UsageError(f"{out}: wanted a name that ends in .png, .jpg, .pdf or .svg")
    return kind


def save_figure(figure: Any, out: str | Path, dpi: int) -> None:
    """Write a Matplotlib `figure` to `out` (replacing it), whole or not at all, and close it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    out : str or Path
    dpi : int
        Pixels per inch.

    Raises
    ------
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg.
    """
    try:
        kind = check_figure(out)
        with atomic(out, overwrite=True) as scratch:
            figure.savefig(scratch, dpi=dpi, format=kind)
    finally:
        import_pyplot().close(figure)
