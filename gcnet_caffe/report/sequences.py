"""Figure 6: t-SNE over the frames of sequences, from neutral to the peak of an expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import NO_FILE, GcnetError
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.packing.record_table import RecordRow, read_test_records
from gcnet_caffe.report.blocks import Block, Figure, Missing
from gcnet_caffe.report.embeddings import SEED, read_features, thin, tsne
from gcnet_caffe.report.pictures import class_colours, panels, png_uri, style, svg_uri
from gcnet_caffe.report.run import LABELS, Run

_SIDE = 620  # of a map of thumbnails, in pixels
_FACE = 30
_BORDER = 3


class Frames(NamedTuple):
    """The frames of one fold's test sequences.

    `points` is (N, 2) in 0..1; `colours` (N, 3) RGB 0..1; `intensity` 0..1, a frame's rank relative
    to the last of its sequence; `images` (N, 64, 64), values 0..1.
    """

    points: NDArray[np.float32]
    colours: NDArray[np.float64]
    intensity: NDArray[np.float64]
    images: NDArray[np.float32]
    sequences: int


def figure6(run: Run) -> list[Block]:
    """Draw maps of points and of thumbnails, CNN beside GCNet."""
    missing: list[Block] = []
    found = {}
    for name in ("cnn", "S1R1"):
        try:
            found[name] = _frames(run, name)
        except (GcnetError, OSError) as error:
            missing.append(Missing(f"No map of {LABELS[name]}: {error}"))
    if not found:
        return missing
    text = "The experiment says `pictures: false`: the maps of thumbnails are left out."
    return [*missing, _points(run, found), _thumbnails(found) if run.pictures else Missing(text)]


def _frames(run: Run, name: str) -> Frames:
    net = run.first(name)
    if net is None:
        raise GcnetError("the run has no such network")
    features = read_features(net.folder.every_frame.features)
    data = run.folder.sequences(net.fold)
    records = read_images(data / "test_lmdb")
    if features.keys != records.keys:
        raise GcnetError(f"{data}: other frames than those of the features")
    rows = read_test_records(data, records.keys)
    if rows is None:
        raise GcnetError(f"{data / 'test.csv'}: {NO_FILE}")
    chosen = thin(len(rows))
    points = tsne(features.feature[chosen])
    low, high = points.min(0), points.max(0)
    intensity = intensities([(row.sequence, row.rank) for row in rows])[chosen]
    return Frames(
        (points - low) / (high - low),
        _colours(_labels(rows, run.classes)[chosen], intensity, run.classes),
        intensity,
        records.images[chosen, 0],
        len({row.sequence for row in rows}),
    )


def _labels(rows: Sequence[RecordRow], classes: Sequence[str]) -> NDArray[np.int64]:
    """Return each frame's expression: that of its sequence, also for a neutral first frame."""
    expressive = {
        row.sequence: row.label
        for row in rows
        if int(row.label) < len(classes) and int(row.rank or 0)
    }
    return np.array([int(expressive.get(row.sequence, row.label)) for row in rows])


def intensities(frames: Sequence[tuple[str, str]]) -> NDArray[np.float64]:
    """Return how far along in its sequence each frame is: 0 for the first, 1 for the last.

    Parameters
    ----------
    frames : sequence of (sequence, rank)
        Of all test frames of a fold, as predictions.csv and test.csv have them.
    """
    ranks = [int(rank or 0) for _, rank in frames]
    peaks: dict[str, int] = {}
    for (sequence, _), rank in zip(frames, ranks):
        peaks[sequence] = max(rank, peaks.get(sequence, 1))
    return np.array([rank / peaks[sequence] for (sequence, _), rank in zip(frames, ranks)])


def _colours(
    labels: NDArray[np.int64], intensity: NDArray[np.float64], classes: Sequence[str]
) -> NDArray[np.float64]:
    """Return (N, 3) RGB 0..1: the expression's colour, lighter the less intense."""
    from matplotlib.colors import to_rgb

    full = np.array([to_rgb(class_colours(classes)[int(label)]) for label in labels], np.float64)
    return 1 - (0.2 + 0.8 * intensity)[:, None] * (1 - full)


def _points(run: Run, found: Mapping[str, Frames]) -> Figure:
    from matplotlib.lines import Line2D

    with style():
        figure, axes = panels(len(found), 2, (4.2, 4.0))
        for letter, axis, (name, frames) in zip("ab", axes, found.items()):
            order = np.argsort(frames.intensity)
            x, y = frames.points[order].T.round(4)
            colours = frames.colours[order]
            axis.scatter(x, y, s=18, c=colours, edgecolors="#bbbbbb", linewidths=0.3)
            axis.set(title=f"({letter}) {LABELS[name]}", xticks=[], yticks=[])
            axis.spines[:].set_visible(True)
        handles = [
            Line2D([], [], ls="", marker="o", ms=5, color=class_colours(run.classes)[k])
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
        f"As figure 6 (a, b) of the paper: t-SNE of the features of {len(frames.images)} frames of "
        f"{frames.sequences} {faces}test sequences (one fold), random_state {SEED}. The colour is "
        "the expression; the lighter, the earlier in the sequence and the less intense.",
        wide=True,
    )


def _thumbnails(found: Mapping[str, Frames]) -> Figure:
    gap = np.full((_SIDE, 16, 3), 255, np.uint8)
    parts = [part for frames in found.values() for part in (_thumbnail_map(frames), gap)][:-1]
    names = " and ".join(LABELS[name] for name in found)
    return Figure(
        png_uri(np.hstack(parts)),
        "The same maps with a small picture of the face at each point, framed in its colour",
        f"As figure 6 (c, d) of the paper: the faces at the points above, {names} from left to "
        "right; the frame has the point's colour. Faces that would cover others are left out.",
        wide=True,
    )


def _thumbnail_map(frames: Frames) -> NDArray[np.uint8]:
    """Return a (_SIDE, _SIDE, 3) uint8 BGR picture of framed faces at their points."""
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
        framed = canvas[where]
        framed[:] = (frames.colours[i, ::-1] * 255).astype(np.uint8)
        face = np.clip(small * 255, 0, 255).astype(np.uint8)[:, :, None]
        framed[_BORDER:-_BORDER, _BORDER:-_BORDER] = face
    return canvas
