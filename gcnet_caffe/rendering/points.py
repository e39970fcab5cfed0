"""The 68 landmarks of iBUG (and CK+): their numbers, their mirror images, curves through them.

Face coordinates, used by every module of this package: the unit is half the average distance
between the eyes, the origin lies midway between them, x grows towards the picture's right (the
subject's left), y grows downwards. "Right" and "left" are the subject's.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gcnet_caffe.rendering._types import Array

RIGHT_BROW, LEFT_BROW = list(range(17, 22)), list(range(22, 27))
NOSE_BRIDGE, NOSTRILS = list(range(27, 31)), list(range(31, 36))
RIGHT_EYE, LEFT_EYE = list(range(36, 42)), list(range(42, 48))

_PAIRS = [
    *((i, 16 - i) for i in range(8)),
    *zip(RIGHT_BROW, reversed(LEFT_BROW)),
    *((31, 35), (32, 34)),
    *((36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)),
    *((48, 54), (49, 53), (50, 52), (59, 55), (58, 56)),
    *((60, 64), (61, 63), (67, 65)),
]
#: MIRROR[i] is the landmark that i becomes in a mirror; points of the midline map to themselves.
MIRROR = np.arange(68)
for _right, _left in _PAIRS:
    MIRROR[_right], MIRROR[_left] = _left, _right
LEFT_SIDE = np.array(sorted(left for _, left in _PAIRS))
MIDLINE = np.flatnonzero(MIRROR == np.arange(68))


@functools.cache
def _catmull_rom(steps: int) -> Array:
    """(steps, 4) weights of four control points along the span between the middle two."""
    t = np.arange(steps)[:, None] / steps
    powers = np.hstack([np.ones_like(t), t, t**2, t**3])
    return powers @ (np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2)


def curve(points: ArrayLike, closed: bool = False, steps: int = 6) -> Array:
    """Return a smooth (Catmull-Rom) curve through some points.

    Parameters
    ----------
    points : (N, 2) array_like
    closed : bool
        Whether the last point is joined to the first.
    steps : int
        Samples from one point to the next.

    Returns
    -------
    (M, 2) array
    """
    points = np.asarray(points, float)
    if closed:
        padded = np.vstack([points[-1:], points, points[:2]])
    else:
        padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    spans = np.stack([padded[i : len(padded) - 3 + i] for i in range(4)], axis=1)
    samples = np.einsum("sk,nkd->nsd", _catmull_rom(steps), spans).reshape(-1, 2)
    return samples if closed else np.vstack([samples, points[-1:]])


def resample(points: Array, count: int) -> Array:
    """Return points at equal distances along a polyline.

    Parameters
    ----------
    points : (N, 2) array
    count : int
        How many; the ends of the polyline are two of them.

    Returns
    -------
    (count, 2) array
    """
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    length = np.concatenate([[0], np.cumsum(steps)])
    at = np.linspace(0, length[-1], count)
    return np.stack([np.interp(at, length, points[:, axis]) for axis in (0, 1)], axis=1)
