"""Folds and wrinkles: what the action units, and age, press into the skin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gcnet_caffe.rendering.canvas import PIXELS, to_pixels
from gcnet_caffe.rendering.points import MIRROR, curve

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array, Grey, Map, Show

#: A point of a line: (landmark, outwards, upwards).
_Place = tuple[int, float, float]
_FOREHEAD = [
    (0.10, {1: 0.12, 2: 0.12}, 0.05, [(19, out, up - 0.04 * out**2) for out in (0.6, 0, -0.5, -1)])
    for up in (0.34, 0.56, 0.78)
]
_CROWS_FEET = [
    (0.12, {6: 0.25}, 0.03, [(36, 0.12, y), (36, 0.25, 1.5 * y), (36, 0.40, 2.5 * y)])
    for y in (-0.08, 0.0, 0.08)
]
_NOSE_WRINKLES = [
    (0.0, {9: 0.35}, 0.04, [(27, 0.10, -y), (27, 0.20, -y - 0.05), (27, 0.30, -y - 0.16)])
    for y in (0.12, 0.28)
]
#: (age, {unit: darkening at strength 1}, width, line), for the subject's right side; the left side
#: mirrors it.
CREASES: list[tuple[float, dict[int, float], float, list[_Place]]] = [
    *_FOREHEAD,
    *_CROWS_FEET,
    *_NOSE_WRINKLES,
    # from the nose wing around the mouth
    (
        0.12,
        {9: 0.28, 10: 0.26, 12: 0.30},
        0.09,
        [(31, 0.06, 0.16), (31, 0.24, -0.10), (48, 0.24, 0.26), (48, 0.26, 0.02)],
    ),
    # beside the mouth corner: dimple, and the line below it
    (0.0, {14: 0.55, 12: 0.15}, 0.06, [(48, 0.08, 0.14), (48, 0.14, 0.0), (48, 0.08, -0.13)]),
    (0.15, {15: 0.35}, 0.07, [(48, 0.05, -0.06), (48, 0.12, -0.22), (48, 0.10, -0.40)]),
    # between the brows
    (0.10, {4: 0.45}, 0.05, [(21, -0.20, 0.10), (21, -0.16, -0.10), (21, -0.24, -0.30)]),
    # below the eye
    (0.25, {6: 0.22, 7: 0.18}, 0.04, [(36, -0.04, -0.12), (41, 0.0, -0.14), (40, 0.0, -0.13)]),
    # between lower lip and chin
    (0.15, {17: 0.40}, 0.08, [(58, 0.12, -0.32), (57, 0.0, -0.24)]),
]


def crease_layer(
    points: Array,
    show: Show,
    age: float,
    size: tuple[int, ...],
) -> Map:
    """Darkening of the skin by folds and wrinkles.

    Parameters
    ----------
    points : (68, 2) array
        Landmarks, face units.
    show : callable
        show(unit) gives the strengths (right, left) of an action unit.
    age : float
        0..1; scales the wrinkles that are always there.
    size : (height, width)
        Size of the canvas in pixels.

    Returns
    -------
    (height, width) float32 array
        0 (none) to 1 (black).
    """
    layer = np.zeros(size, np.uint8)
    for always, units, width, places in CREASES:
        for side in (0, 1):
            pressed = sum(factor * show(unit)[side] for unit, factor in units.items())
            darkness = int(255 * min(always * age + pressed, 0.8))
            if darkness > 5:
                _draw(layer, curve(_line(points, places, side)), darkness, width)
    soft = cv2.GaussianBlur(layer, (0, 0), 0.05 * PIXELS)
    return soft.astype(np.float32) / np.float32(255)


def _line(points: Array, places: Sequence[_Place], side: int) -> Array:
    marks = [mark for mark, _, _ in places]
    offsets = np.array([(-out, -up) for _, out, up in places])
    return points[MIRROR[marks]] + offsets * (-1, 1) if side else points[marks] + offsets


def _draw(layer: Grey, line: Array, darkness: int, width: float) -> None:
    pixels = np.round(to_pixels(line) * 16).astype(np.int32)
    cv2.polylines(layer, [pixels], False, darkness, max(1, round(width * PIXELS)), cv2.LINE_AA, 4)
