"""Figure 6: t-SNE over the frames of sequences, from neutral to the peak of an expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.packing.test_table import RecordRow, read_test_records
from gcnet_caffe.report.blocks import Figure, Hole, Section
from gcnet_caffe.report.embeddings import SEED, read_features, thin, tsne
from gcnet_caffe.report.pictures import class_colours, drawing, panels, png_uri, svg_uri
from gcnet_caffe.report.run import LABELS, Run

_SIDE = 620  # of a map of thumbnails, in pixels
_FACE = 30
_BORDER = 3


class Frames(NamedTuple):
    """The frames of one fold's test sequences.

    `points` is (N, 2) in 0..1; `labels` each frame's sequence's expression; `intensity` 0..1, its
    rank relative to the last of its sequence; `images` (N, 64, 64), values 0..1.
    """

    points: NDArray[np.float32]
    labels: NDArray[np.int64]
    intensity: NDArray[np.float64]
    images: NDArray[np.float32]
    sequences: int


def figure6_section(run: Run) -> Section:
    """Draw maps of points and of thumbnails, CNN beside GCNet."""
    section = Section("figure6", "Figure 6: t-SNE over sequences", short="Fig. 6")
    found = {}
    for name in ("cnn", "S1R1"):
        try:
            found[name] = _frames(run, name)
        except (GcnetError, OSError) as error:
            section.blocks.append(Hole(f"No map of {LABELS[name]}: {error}"))
    if found:
        section.blocks.append(_points(run, found))
    if found and run.pictures:
        section.blocks.append(_thumbnails(run, found))
    elif found:
        text = "The experiment says `pictures: false`: the maps of thumbnails are left out."
        section.blocks.append(Hole(text))
    return section


def _frames(run: Run, name: str) -> Frames:
    features = read_features(run.folder.sequences(name).features)
    for data in run.folder.all_sequence_pairs()[:1]:
        records = read_images(data / "test_lmdb")
        rows = read_test_records(data, records.keys) or []
        break
    else:
        raise GcnetError(f"{run.folder.sequence_pairs('*') / 'test.csv'}: not there")
    if features.keys != records.keys:
        raise GcnetError(f"{data}: other frames than those of the features")
    chosen = thin(len(rows))
    labels, intensity = _labels(rows, run.classes), _intensity(rows)
    points = tsne(features.feature[chosen])
    low, high = points.min(0), points.max(0)
    return Frames(
        (points - low) / (high - low),
        labels[chosen],
        intensity[chosen],
        records.images[chosen, 0],
        len({row.sequence for row in rows}),
    )


def _rank(row: RecordRow) -> int:
    return int(row.rank or 0)


def _labels(rows: Sequence[RecordRow], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return each frame's expression: that of its sequence, also for a neutral first frame."""
    expressive = {}
    for row in rows:
        if int(row.label) < len(classes) and _rank(row):
            expressive[row.sequence] = int(row.label)
    return np.array([expressive.get(row.sequence, int(row.label)) for row in rows])


def _intensity(rows: Sequence[RecordRow]) -> NDArray[np.float64]:
    peaks: dict[str, int] = {}
    for row in rows:
        peaks[row.sequence] = max(_rank(row), peaks.get(row.sequence, 1))
    return np.array([_rank(row) / peaks[row.sequence] for row in rows])


def _colours(frames: Frames, classes: Sequence[str]) -> NDArray[np.float64]:
    """Return (N, 3) RGB 0..1: the expression's colour, lighter the less intense."""
    from matplotlib.colors import to_rgb

    full = np.array([to_rgb(class_colours(classes)[int(label)]) for label in frames.labels])
    share = (0.2 + 0.8 * frames.intensity)[:, None]
    return 1 - share * (1 - full)


def _points(run: Run, found: Mapping[str, Frames]) -> Figure:
    with drawing() as plt:
        figure, axes = panels(plt, len(found), 2, (4.2, 4.0))
        for letter, axis, (name, frames) in zip("ab", axes, found.items()):
            order = np.argsort(frames.intensity)
            x, y = frames.points[order].T.round(4)
            colours = _colours(frames, run.classes)[order]
            axis.scatter(x, y, s=18, c=colours, edgecolors="#bbbbbb", linewidths=0.3)
            axis.set_title(f"({letter}) {LABELS[name]}")
            axis.set_xticks([])
            axis.set_yticks([])
            axis.spines[:].set_visible(True)
        handles = [
            plt.Line2D([], [], ls="", marker="o", ms=5, color=class_colours(run.classes)[k])
            for k in range(len(run.classes))
        ]
        figure.legend(handles, run.classes, loc="outside lower center", ncols=8, fontsize=8)
        uri = svg_uri(figure)
    frames = next(iter(found.values()))
    faces = "synthetic " if run.synthetic else ""
    return Figure(
        uri,
        "Scatter plots of the frames of test sequences: colour by expression, lighter when less "
        "intense",
        f"As figure 6 (a, b) of the paper: t-SNE of the features of {len(frames.labels)} frames of "
        f"{frames.sequences} {faces}test sequences (one fold), random_state {SEED}. The colour is "
        "the expression; the lighter, the earlier in the sequence and the less intense.",
        wide=True,
    )


def _thumbnails(run: Run, found: Mapping[str, Frames]) -> Figure:
    maps = [_thumbnail_map(frames, _colours(frames, run.classes)) for frames in found.values()]
    gap = np.full((_SIDE, 16, 3), 255, np.uint8)
    parts = [part for picture in maps for part in (picture, gap)][:-1]
    names = " and ".join(LABELS[name] for name in found)
    return Figure(
        png_uri(np.hstack(parts)),
        "The same maps with a small picture of the face at each point, framed in its colour",
        f"As figure 6 (c, d) of the paper: the faces at the points above, {names} from left to "
        "right; the frame has the point's colour. Faces that would cover others are left out.",
        wide=True,
    )


def _thumbnail_map(frames: Frames, colours: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return a (_SIDE, _SIDE, 3) uint8 RGB picture of framed faces at their points."""
    size = _FACE + 2 * _BORDER
    canvas = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    taken = np.zeros((_SIDE, _SIDE), bool)
    for i in np.argsort(-frames.intensity, kind="stable"):
        x = int(frames.points[i, 0] * (_SIDE - size))
        y = int((1 - frames.points[i, 1]) * (_SIDE - size))
        where = np.s_[y : y + size, x : x + size]
        if taken[where].mean() > 0.25:
            continue
        taken[where] = True
        small = cv2.resize(frames.images[i], (_FACE, _FACE), interpolation=cv2.INTER_AREA)
        framed = np.empty((size, size, 3), np.uint8)
        framed[:] = (colours[i] * 255).astype(np.uint8)
        face = np.clip(small * 255, 0, 255).astype(np.uint8)[:, :, None]
        framed[_BORDER:-_BORDER, _BORDER:-_BORDER] = face
        canvas[where] = framed
    return canvas
