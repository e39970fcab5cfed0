"""A net's data flow as a picture: ours as figure 3 of the paper, any other layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gcnet_caffe.formats import read_net
from gcnet_caffe.nets.layer_names import DATA, are_ours, part_of
from gcnet_caffe.nets.layered import arrange
from gcnet_caffe.nets.net_graph import Box, Graph, net_graph
from gcnet_caffe.plotting import import_pyplot, save_figure

_COLOURS = {"encoder": "#cfe2f3", "decoder": "#fce5cd", "δ": "#d9ead3", "loss": "#f4cccc"}
_COLOURS["entropy"] = _COLOURS["loss"]
_ARROWS = {
    "data": {"linewidth": 1.5, "color": "#333333"},
    "target": {"linewidth": 0.6, "color": "#aaaaaa"},
}


def draw_net(
    path: str | Path,
    out: str | Path,
    phase: str = "",
    level: int = 0,
    stages: tuple[str, ...] = (),
) -> None:
    """Draw the net at `path` (a prototxt) into the picture `out`.

    A net of ours is drawn block by block; thick arrows are images and features, thin ones the
    images and labels that losses compare with. Any other net is drawn layer by layer.

    Parameters
    ----------
    path, out : str or Path
    phase : str
        'TRAIN', 'TEST', or empty for the layers of both.
    level : int
    stages : tuple of str
        Of the net's state: they choose layers too.

    Raises
    ------
    NetError, SchemaError
        The file has no net, or none of its layers is in the phase.
    UsageError
        `out` does not end in .png, .jpg, .pdf or .svg; or Matplotlib is not installed.
    """
    import_pyplot()
    net = read_net(path)
    if is_ours(net):
        _draw_blocks(*data_flow(net), out)
    else:
        _draw_layers(net_graph(net, str(path), phase, level, stages), out)


def is_ours(net: Any) -> bool:
    """Return whether the names of a NetParameter's layers are those of a net of this package."""
    return are_ours([layer.name for layer in net.layer])


def data_flow(
    net: Any,
) -> tuple[dict[str, tuple[float, float]], dict[tuple[str, str], str]]:
    """Return (blocks, edges) of a NetParameter of ours.

    Returns
    -------
    blocks : dict
        Block -> place (column, row).
    edges : dict
        (block, block) -> 'data', or 'target' for what a loss compares with.
    """
    blocks: dict[str, tuple[float, float]] = {}
    edges: dict[tuple[str, str], str] = {}
    made_by: dict[str, str] = {}
    for layer in net.layer:
        part = part_of(layer.name)
        assert part, layer.name  # the net is ours
        block = part.title
        blocks[block] = part.place
        for bottom in layer.bottom:
            source = made_by.get(bottom, block)
            compares = source == DATA.title and "encoder" not in block
            if source != block:
                edges[source, block] = "target" if compares else "data"
        made_by.update({top: block for top in layer.top})
    return blocks, edges


def _draw_blocks(
    blocks: dict[str, tuple[float, float]], edges: dict[tuple[str, str], str], out: str | Path
) -> None:
    plt = import_pyplot()
    figure, axis = plt.subplots(figsize=(10, 4.6))
    for (source, target), kind in edges.items():
        arrow = {"arrowstyle": "-|>", "shrinkA": 20, "shrinkB": 26, **_ARROWS[kind]}
        axis.annotate("", blocks[target], blocks[source], arrowprops=arrow)
    for block, (x, y) in blocks.items():
        colour = next((c for word, c in _COLOURS.items() if word in block), "white")
        box = {"boxstyle": "round,pad=0.45", "facecolor": colour, "edgecolor": "#555555"}
        axis.text(x, y, block, ha="center", va="center", fontsize=8.5, bbox=box)
    axis.set_xlim(-0.5, 6.8)
    axis.set_ylim(4.2, -0.3)
    axis.axis("off")
    figure.tight_layout(pad=0.2)
    save_figure(figure, out, dpi=110)


_KIND_COLOURS = {
    "data": "#eeeeee",
    "filter": "#cfe2f3",
    "pooling": "#d9ead3",
    "loss": "#f4cccc",
    "other": "#fff2cc",
}
_FONT = 7  # points
_CHARACTER, _LINE, _MARGIN = 0.062, 0.125, 0.16  # inches
_MOST_PIXELS = 30000  # of a side; what picture viewers take


def _draw_layers(graph: Graph, out: str | Path) -> None:
    plt = import_pyplot()
    sizes = []
    for box in graph.boxes:
        longest = max(1.1 * len(box.title), *map(len, box.lines))
        sizes.append((_CHARACTER * longest + _MARGIN, _LINE * (1 + len(box.lines)) + _MARGIN / 2))
    layout = arrange(sizes, list(graph.edges))
    width, height = layout.width + 0.4, layout.height + 0.4
    figure = plt.figure(figsize=(width, height))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.set_xlim(-0.2, layout.width + 0.2)
    axis.set_ylim(layout.height + 0.2, -0.2)
    axis.axis("off")
    several = _sources_of_several(graph)
    for (source, target), points in layout.routes.items():
        _draw_edge(axis, points)
        if source in several:
            x, y = points[-1]
            names = _plain(", ".join(graph.edges[source, target]))
            axis.text(x + 0.04, y - 0.1, names, fontsize=_FONT - 1.5, color="#666666")
    for box, (x, y), (box_width, box_height) in zip(graph.boxes, layout.places, sizes):
        _draw_box(axis, box, x, y, box_width, box_height)
    save_figure(figure, out, dpi=min(110, int(_MOST_PIXELS / max(width, height))))


def _sources_of_several(graph: Graph) -> set[int]:
    """Return the boxes that give more than one blob: their edges carry a name."""
    given: dict[int, set[str]] = {}
    for (source, _), names in graph.edges.items():
        given.setdefault(source, set()).update(names)
    return {source for source, names in given.items() if len(names) > 1}


def _draw_edge(axis: Any, points: list[tuple[float, float]]) -> None:
    """Draw a line through `points` that leaves and enters each vertically, with an arrow's head."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    corners, codes = [points[0]], [Curve.MOVETO]
    for (x, y), (next_x, next_y) in zip(points, points[1:]):
        if x == next_x or y >= next_y:
            corners.append((next_x, next_y))
            codes.append(Curve.LINETO)
        else:
            middle = (y + next_y) / 2
            corners += [(x, middle), (next_x, middle), (next_x, next_y)]
            codes += [Curve.CURVE4] * 3
    head: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 7, "shrinkA": 0, "shrinkB": 0}
    curve = Curve(corners, codes)
    axis.add_patch(FancyArrowPatch(path=curve, lw=0.8, color="#777777", fill=False, **head))


def _draw_box(axis: Any, box: Box, x: float, y: float, width: float, height: float) -> None:
    from matplotlib.patches import Rectangle

    corner = (x - width / 2, y - height / 2)
    colour = _KIND_COLOURS[box.kind]
    axis.add_patch(Rectangle(corner, width, height, fc=colour, ec="#555555", lw=0.7, zorder=2))
    texts = {"ha": "center", "va": "center", "zorder": 3, "fontsize": _FONT}
    first = y - height / 2 + _MARGIN / 4 + _LINE / 2
    axis.text(x, first, _plain(box.title), fontweight="bold", **texts)
    for index, line in enumerate(box.lines, 1):
        colour = "#333333" if line[0] in "←→" else "black"
        axis.text(x, first + index * _LINE, _plain(line), color=colour, **texts)


def _plain(text: str) -> str:
    """Return `text` with no sign that Matplotlib takes for a formula."""
    return text.replace("$", r"\$")
