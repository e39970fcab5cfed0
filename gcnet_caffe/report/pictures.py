"""Figures as data URIs, in one style; equal figures give equal bytes."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.datasets.expressions import NEUTRAL

#: Colours that colour-blind readers can tell apart (Okabe and Ito), and two more.
COLOURS = (
    "#D55E00", "#E69F00", "#009E73", "#56B4E9", "#CC79A7", "#0072B2", "#B8A600", "#8C564B",
    "#6A3D9A",
)  # fmt: skip
GREY = "#8a8a8a"
INK = "#333333"

_STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": "#999999",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "gcnet",
    "legend.frameon": False,
}


def style() -> Any:
    """Return the context in which figures are made and drawn: the report's style."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def blank(size: tuple[float, float], layout: Any = "constrained") -> Any:
    """Return an empty Matplotlib figure of this width and height in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout=layout)


def svg_uri(figure: Any) -> str:
    """Return a Matplotlib figure as an SVG data URI."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None}, bbox_inches="tight")
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r">\s+<", "><", text)
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return an (H, W, 3) BGR uint8 picture, grey where it has no colour, as a PNG data URI."""
    if (pixels == pixels[:, :, :1]).all():
        pixels = pixels[:, :, 0]
    data = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    return "data:image/png;base64," + base64.b64encode(data).decode()


def figure_pixels(figure: Any) -> NDArray[np.uint8]:
    """Return a drawn Matplotlib figure as (H, W, 3) uint8 BGR."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=110, bbox_inches="tight")
    data = np.frombuffer(stream.getvalue(), np.uint8)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def class_colours(classes: Sequence[str]) -> dict[int, str]:
    """Return {label: colour}; neutral, or the label above the last class, is grey."""
    found = {k: COLOURS[k % len(COLOURS)] for k in range(len(classes))}
    found[len(classes)] = GREY
    if NEUTRAL in classes:
        found[classes.index(NEUTRAL)] = GREY
    return found


def class_name(classes: Sequence[str], label: int) -> str:
    """Return the name of a label; the one above the last class is neutral."""
    return classes[label] if label < len(classes) else NEUTRAL


def panels(
    count: int, columns: int, size: tuple[float, float], legend: float = 0.6
) -> tuple[Any, list[Any]]:
    """Make a figure of `count` equal panels that share both axes.

    Parameters
    ----------
    count : int
    columns : int
        Panels in a line, at most.
    size : (float, float)
        Width and height of a panel in inches.
    legend : float
        Height in inches below all panels.

    Returns
    -------
    figure : Figure
    axes : list of Axes
        One per panel.
    """
    columns = min(columns, count)
    lines = -(-count // columns)
    figure = blank((size[0] * columns, size[1] * lines + legend))
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axis in axes.flat[count:]:
        axis.set_visible(False)
    return figure, list(axes.flat[:count])
