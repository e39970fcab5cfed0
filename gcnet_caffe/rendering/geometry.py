"""Where the 68 landmarks of a subject's face are, at rest and under action units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.rendering.actions import displacement
from gcnet_caffe.rendering.points import (
    LEFT_SIDE,
    MIRROR,
    NOSE_BRIDGE,
    NOSTRILS,
    RIGHT_BROW,
    RIGHT_EYE,
    curve,
    resample,
)
from gcnet_caffe.rendering.subject import Subject

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array, Shape


def neutral_points(shape: Shape) -> Array:
    """Return the 68 landmarks of a face at rest, without its resting actions.

    Parameters
    ----------
    shape : dict of str to float
        The traits of `SHAPE`.

    Returns
    -------
    (68, 2) array
        In face units.
    """
    points = np.zeros((68, 2))
    points[:9] = _right_jaw(shape)
    points[RIGHT_BROW] = _right_brow(shape)
    points[RIGHT_EYE] = _right_eye(shape)
    length, width = shape["nose_length"], shape["nose_width"]
    points[NOSE_BRIDGE] = [(0, y) for y in np.linspace(0.08, length, 4)]
    points[NOSTRILS[:3]] = [
        (-width, length + 0.10),
        (-0.5 * width, length + 0.20),
        (0, length + 0.26),
    ]
    for landmark, place in _right_mouth(shape).items():
        points[landmark] = place
    mirrored = points[MIRROR] * (-1, 1)
    points[LEFT_SIDE] = mirrored[LEFT_SIDE]
    return points


def _right_jaw(s: Shape) -> Array:
    jaw_y = 0.62 * s["chin"]
    control = [
        (-s["face_width"], -0.25),
        (-0.985 * s["face_width"], 0.7),
        (-s["jaw"] * s["face_width"], jaw_y),
        (-s["chin_width"] * s["face_width"], 0.93 * s["chin"]),
        (0, s["chin"]),
        (s["chin_width"] * s["face_width"], 0.93 * s["chin"]),
    ]
    half = curve(control, steps=8)[: 4 * 8 + 1]
    return resample(half, 9)


def _right_brow(s: Shape) -> Array:
    t = np.linspace(1, 0, 5)  # outer to inner
    x = s["brow_inner"] + t * (s["brow_outer"] - s["brow_inner"])
    up = s["brow_height"] + s["brow_arch"] * np.sin(np.pi * t**1.3) + s["brow_tilt"] * (t - 0.4)
    return np.stack([-x, -up], axis=1)


def _right_eye(s: Shape) -> Array:
    width, up, low = s["eye_width"], s["eye_upper"], s["eye_lower"]
    eye = np.array(
        [
            (-width, -0.5 * s["eye_tilt"]),
            (-0.38 * width, -up),
            (0.38 * width, -0.92 * up),
            (width, 0.5 * s["eye_tilt"]),
            (0.35 * width, low),
            (-0.42 * width, low),
        ]
    )
    eye[[1, 5], 1] -= 0.2 * s["eye_tilt"]
    return eye - (s["eye_distance"], 0)


def _right_mouth(s: Shape) -> dict[int, tuple[float, float]]:
    width, y, up, low = s["mouth_width"], s["mouth"], s["upper_lip"], s["lower_lip"]
    corner = y - s["mouth_curve"]
    side = y - 0.3 * s["mouth_curve"]
    return {
        48: (-width, corner),
        49: (-0.58 * width, side - 0.72 * up),
        50: (-0.20 * width, y - up),
        51: (0, y - 0.86 * up),
        57: (0, y + low),
        58: (-0.30 * width, y + 0.94 * low),
        59: (-0.66 * width, side + 0.62 * low),
        60: (-0.90 * width, corner + 0.01),
        61: (-0.34 * width, y + 0.005),
        62: (0, y + 0.02),
        66: (0, y + 0.035),
        67: (-0.34 * width, y + 0.02),
    }


def face_points(subject: Subject, right: Array, left: Array) -> tuple[Array, Array]:
    """Return a subject's 68 landmarks in frontal view while action units are at work.

    The subject's gains and resting face are applied here; lids and lips do not cross.

    Parameters
    ----------
    subject : Subject
    right, left : (len(UNITS),) arrays
        Strengths felt, 0 for the subject's neutral face.

    Returns
    -------
    points : (68, 2) array
        In face units.
    shown : (2, units) array
        The strengths as shown on the right and left side, resting face included.
    """
    shown = subject.resting + subject.gains * np.stack([right, left])
    points = neutral_points(subject.shape) + displacement(*shown)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)):
        _keep_order(points, upper, lower)
    for outer, inner in ((50, 61), (51, 62), (52, 63)):
        _keep_order(points, outer, inner, gap=0.04)
    for inner, outer in ((67, 58), (66, 57), (65, 56)):
        _keep_order(points, inner, outer, gap=0.06)
    return points, shown


def _keep_order(points: Array, upper: int, lower: int, gap: float = 0.015) -> None:
    """Part two landmarks that would cross vertically, half the way each."""
    overlap = points[upper, 1] + gap - points[lower, 1]
    if overlap > 0:
        points[upper, 1] -= overlap / 2
        points[lower, 1] += overlap / 2
