"""The 68 landmarks of iBUG (and CK+) as vertices of the head.

Source: iBUG 300-W's scheme; 1 to 68 there are 0 to 67 here. "Left" is the subject's left.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.rendering.heads.model import head
from gcnet_caffe.rendering.heads.skin import brow_height

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gcnet_caffe.rendering.heads.subject import Looks

#: Landmark of the midline -> height.
_MIDDLE = {8: 6.165, 27: 7.28, 28: 7.17, 29: 7.06, 30: 6.94, 33: 6.82, 51: 6.696, 57: 6.527}
#: Landmark of the left side -> distance from the middle, height on the average head.
_LEFT = {
    9: (0.148, 6.205),
    10: (0.22, 6.23),
    11: (0.36, 6.33),
    12: (0.49, 6.47),
    13: (0.59, 6.66),
    14: (0.655, 6.86),
    15: (0.685, 7.05),
    16: (0.70, 7.25),
    34: (0.065, 6.835),
    35: (0.13, 6.85),
    42: (0.20, 7.275),
    43: (0.265, 7.325),
    44: (0.365, 7.33),
    45: (0.44, 7.285),
    46: (0.36, 7.243),
    47: (0.265, 7.247),
    52: (0.05, 6.71),
    53: (0.16, 6.665),
    54: (0.25, 6.61),
    55: (0.18, 6.555),
    56: (0.09, 6.525),
}
#: Where upper and lower lip touch: landmark -> vertex.
_TOUCH: dict[int, tuple[float, float]] = {
    62: (0.0, 6.609),
    63: (0.103, 6.614),
    64: (0.235, 6.612),
    65: (0.11, 6.605),
    66: (0.0, 6.602),
}
#: Landmark of the left side -> the same of the right side.
_MIRRORED = {
    **{16 - number: number for number in range(8)},
    **{left: right for left, right in zip(range(22, 27), range(21, 16, -1))},
    34: 32,
    35: 31,
    42: 39,
    43: 38,
    44: 37,
    45: 36,
    46: 41,
    47: 40,
    52: 50,
    53: 49,
    54: 48,
    55: 59,
    56: 58,
    63: 61,
    64: 60,
    65: 67,
}


def landmark_vertices(looks: Looks) -> NDArray[np.int64]:
    """Return the 68 vertices for a person: those of the brows are where the brows are drawn."""
    inner, outer = looks.brow_ends
    asides = np.linspace(inner, outer, 5, dtype=np.float32)
    heights = brow_height(looks, asides)
    found = _fixed().copy()
    for number, aside, height in zip(range(22, 27), asides, heights):
        found[number] = _nearest(aside, height)
        found[_MIRRORED[number]] = _nearest(-aside, height)
    return found


def lips() -> tuple[int, int]:
    """Return the vertices of the upper and the lower lip's middle, where they touch."""
    return int(_fixed()[62]), int(_fixed()[66])


@functools.cache
def _fixed() -> NDArray[np.int64]:
    found = np.zeros(68, np.int64)
    sided = {**_LEFT, **{number: place for number, place in _TOUCH.items() if place[0]}}
    for number, height in _MIDDLE.items():
        found[number] = _nearest(0, height)
    for number in (62, 66):
        found[number] = _nearest(*_TOUCH[number])
    for number, (aside, height) in sided.items():
        found[number] = _nearest(aside, height)
        found[_MIRRORED[number]] = _nearest(-aside, height)
    return found


@functools.cache
def _front() -> NDArray[np.int64]:
    """Vertices of the skin on triangles that face the camera, ears left out."""
    faces = head().faces[head().materials == 0]
    a, b, c = (head().base[faces[:, corner]] for corner in range(3))
    front = np.unique(faces[np.cross(b - a, c - a)[:, 2] > 0])
    x, y, z = head().base[front].T
    seen: NDArray[np.int64] = front[(z > 0.25) & (np.abs(x) < 0.72)]
    return seen


def _nearest(x: float, y: float) -> int:
    """Return the vertex nearest to a place, seen from the front; the foremost of equals."""
    places = head().base[_front()]
    away = np.hypot(places[:, 0] - x, places[:, 1] - y) - 0.02 * places[:, 2]
    return int(_front()[np.argmin(away)])
