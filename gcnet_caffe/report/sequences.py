"""Figure 6: t-SNE over the frames of sequences, from neutral to the peak of an expression."""

from typing import NamedTuple

import cv2
import numpy as np

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.report.blocks import Figure, Hole, Section
from gcnet_caffe.report.embeddings import SEED, read_features, thin, tsne
from gcnet_caffe.report.pictures import class_colours, drawing, panels, png_uri, svg_uri
from gcnet_caffe.report.run import LABELS, read_test

_SIDE = 620  # of a map of thumbnails, in pixels
_FACE = 30
_BORDER = 3


class Frames(NamedTuple):
    """The frames of one fold's test sequences.

    `points` is (N, 2) in 0..1; `labels` each frame's sequence's expression; `intensity` 0..1, its
    rank relative to the last of its sequence; `images` (N, 64, 64), values 0..1.
    """

    points: np.ndarray
    labels: np.ndarray
    intensity: np.ndarray
    images: np.ndarray
    sequences: int


def figure6_section(run):
    """Maps of points and of thumbnails, CNN beside GCNet."""
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


def _frames(run, name):
    features = read_features(run.folder / "sequences" / name / "features.npz")
    folders = sorted((run.folder / "sequences/data").glob("*/test.csv"))
    if not folders:
        raise GcnetError(f"{run.folder / 'sequences/data'}: holds no test.csv")
    rows = {row["key"]: row for row in read_test(folders[0])}
    records = read_images(folders[0].parent / "test_lmdb")
    if features.keys != records.keys or set(records.keys) - set(rows):
        raise GcnetError(f"{folders[0].parent}: other frames than those of the features")
    rows = [rows[key] for key in records.keys]
    chosen = thin(len(rows))
    labels, intensity = _labels(rows, run.classes), _intensity(rows)
    points = tsne(features.feature[chosen])
    low, high = points.min(0), points.max(0)
    return Frames(
        (points - low) / (high - low),
        labels[chosen],
        intensity[chosen],
        records.images[chosen, 0],
        len({row["sequence"] for row in rows}),
    )


def _labels(rows, classes):
    """Each frame's expression: that of its sequence, a neutral first frame's too."""
    expressive = {}
    for row in rows:
        if row["label"] < len(classes) and row["rank"]:
            expressive[row["sequence"]] = row["label"]
    return np.array([expressive.get(row["sequence"], row["label"]) for row in rows])


def _intensity(rows):
    ranks = np.array([row["rank"] for row in rows], float)
    peaks = {}
    for row, rank in zip(rows, ranks):
        peaks[row["sequence"]] = max(rank, peaks.get(row["sequence"], 1))
    return ranks / np.array([peaks[row["sequence"]] for row in rows])


def _colours(frames, classes):
    """(N, 3) RGB 0..1: the expression's colour, lighter the less intense."""
    from matplotlib.colors import to_rgb

    full = np.array([to_rgb(class_colours(classes)[int(label)]) for label in frames.labels])
    share = (0.2 + 0.8 * frames.intensity)[:, None]
    return 1 - share * (1 - full)


def _points(run, found):
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


def _thumbnails(run, found):
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


def _thumbnail_map(frames, colours):
    """A (_SIDE, _SIDE, 3) uint8 RGB picture of framed faces at their points."""
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
