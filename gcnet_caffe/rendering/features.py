"""Painting eyes, brows, nose and mouth from the landmarks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.rendering.canvas import Canvas, ellipse
from gcnet_caffe.rendering.points import curve
from gcnet_caffe.rendering.subject import Looks

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array, Tone


def paint_eyes(
    canvas: Canvas,
    points: Array,
    looks: Looks,
    sockets: Sequence[Array],
    gaze: Array,
) -> None:
    """Paint both eyes.

    The lids move over the eyeball, which stays where it is.

    Parameters
    ----------
    canvas : Canvas
    points : (68, 2) array
        Landmarks in face units.
    looks : Looks
    sockets : two (2,) arrays
        The centres of the eyes at rest.
    gaze : (2,) array
        Shift of both irises, in face units.
    """
    skin = looks["skin"]
    for socket, eye in zip(sockets, (points[36:42], points[42:48])):
        upper, lower = curve(eye[:4]), curve(eye[[3, 4, 5, 0]])
        opening = np.vstack([upper, lower])
        lid = (upper - socket) * (1.08, 1.0) + socket - (0, 0.10)
        canvas.fill(np.vstack([lid, upper[::-1]]), 0.80 * skin, 0.6, soft=0.05)
        canvas.stroke(lid, 0.55 * skin, 0.03, 0.7, soft=0.02)
        canvas.fill(opening, 0.55 + 0.30 * skin, soft=0.02)
        iris = socket + gaze
        canvas.fill(ellipse(iris, 0.215), looks["iris"], soft=0.02, inside=opening)
        canvas.fill(ellipse(iris, 0.095), 0.02, soft=0.015, inside=opening)
        canvas.fill(ellipse(iris + (0.07, -0.07), 0.04), 0.95, 0.9, inside=opening)
        canvas.stroke(upper, 0.10, 0.055, 0.85, soft=0.02)
        canvas.stroke(lower, 0.55 * skin, 0.03, 0.6, soft=0.02)


def paint_brows(
    canvas: Canvas,
    points: Array,
    tone: Tone,
    opacity: float,
    thickness: float,
) -> None:
    """Paint both brows; their landmarks are on the brow's middle line.

    Parameters
    ----------
    canvas : Canvas
    points : (68, 2) array
        Landmarks in face units.
    tone : float or (H, W) array
    opacity : float
        0..1.
    thickness : float
        In face units.
    """
    for landmarks in (points[17:22], points[26:21:-1]):  # outer to inner
        middle = curve(landmarks)
        t = np.linspace(0, 1, len(middle))[:, None]
        half = 0.5 * thickness * np.minimum(1, 0.25 + 1.5 * t) * np.minimum(1, 8 * (1.04 - t))
        outline = np.vstack([middle - half * (0, 1), (middle + half * (0, 1))[::-1]])
        canvas.fill(outline, tone, opacity, soft=0.035)


def paint_nose(canvas: Canvas, points: Array, skin: float) -> None:
    """Paint the nostrils and the edge of the nose wings; the rest of the nose is shading.

    Parameters
    ----------
    canvas : Canvas
    points : (68, 2) array
        Landmarks in face units.
    skin : float
        Tone of the skin, 0..1.
    """
    for wing, inner, sign in ((31, 32, -1), (35, 34, 1)):
        nostril = 0.35 * points[wing] + 0.65 * points[inner] + (0, -0.01)
        width = 0.42 * abs(points[wing, 0] - points[inner, 0])
        canvas.fill(ellipse(nostril, (width, 0.055)), 0.22 * skin, 0.9, soft=0.03)
        edge = np.array([(0.0, -0.28), (0.06, -0.12), (0.02, 0.02), (-0.16, 0.04)]) * (sign, 1)
        canvas.stroke(curve(points[wing] + edge), 0.60 * skin, 0.05, 0.55, soft=0.035)
    canvas.stroke(curve(points[31:36]), 0.55 * skin, 0.06, 0.5, soft=0.05)


def paint_mouth(canvas: Canvas, points: Array, looks: Looks, teeth_edge: float) -> None:
    """Paint the opening with what is inside, then the lips.

    The upper teeth belong to the skull and do not move, so raising the lip shows more of them.

    Parameters
    ----------
    canvas : Canvas
    points : (68, 2) array
        Landmarks in face units.
    looks : Looks
    teeth_edge : float
        y at which the upper teeth end, in face units.
    """
    top, low = curve(points[60:65]), curve(points[[64, 65, 66, 67, 60]])
    opening = np.vstack([top, low])
    canvas.fill(opening, 0.06, soft=0.01)
    if points[66, 1] - points[62, 1] > 0.05:
        _paint_inside(canvas, points, opening, teeth_edge)
    upper = np.vstack([curve(points[48:55], steps=4), top[::-1]])
    lower = np.vstack([low, curve(points[[48, 59, 58, 57, 56, 55, 54]], steps=4)])
    canvas.fill(upper, 0.88 * looks["lips"], 0.85, soft=0.025)
    canvas.fill(lower, looks["lips"], 0.85, soft=0.03)
    canvas.stroke(top, 0.25 * looks["skin"], 0.04, 0.8, soft=0.015)
    below = curve(points[[59, 58, 57, 56, 55]] + (0, 0.06))
    canvas.stroke(below, 0.6 * looks["skin"], 0.06, 0.5, soft=0.05)


def _paint_inside(canvas: Canvas, points: Array, opening: Array, teeth_edge: float) -> None:
    """Tongue, lower teeth (they go down with the jaw, behind the lower lip), upper teeth."""
    low = points[66]
    canvas.fill(ellipse(low, (0.36, 0.16)), 0.28, 0.8, soft=0.05, inside=opening)
    canvas.fill(ellipse(low + (0, 0.10), (0.42, 0.12)), 0.66, 0.9, soft=0.02, inside=opening)
    middle = (points[62, 1] + points[60, 1] + points[64, 1]) / 3
    teeth = ellipse((0, middle - 0.2), (0.62, max(teeth_edge - middle + 0.2, 0.05)))
    canvas.fill(teeth, 0.78, soft=0.02, inside=opening)
