"""Which triangle is seen at each pixel, and which vertices the light reaches: compiled loops.

Numba compiles the loops at their first use and keeps them beside this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gcnet_caffe.errors import extra

with extra("faces", "rendering 3-D faces"):
    from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Pixels of a side of a direction's depth map, decimetres that it covers, and how far behind what
#: is nearest to the light a vertex may lie and still be lit.
_SIDE, _COVER, _BIAS = 72, 3.2, 0.1
_FAR = np.float32(-1e30)


class Seen(NamedTuple):
    """What is seen at each pixel of a picture of h x w."""

    triangle: NDArray[np.int32]  # (h, w) number of the nearest triangle, -1 where there is none
    weights: NDArray[np.float32]  # (h, w, 3) barycentric weights of its corners
    depth: NDArray[np.float32]  # (h, w) z of what is seen


def rasterise(
    points: NDArray[np.float32], triangles: NDArray[np.int32], height: int, width: int
) -> Seen:
    """Draw triangles into a depth buffer.

    Parameters
    ----------
    points : (n, 3) float32 array
        x and y in pixels, pixel centres at whole numbers; a greater z is nearer.
    triangles : (t, 3) int32 array
        Numbers of points.
    height, width : int
        Of the picture.
    """
    seen = Seen(
        np.full((height, width), -1, np.int32),
        np.zeros((height, width, 3), np.float32),
        np.full((height, width), _FAR, np.float32),
    )
    _draw(points, triangles, *seen)
    return seen


def daylight(
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    triangles: NDArray[np.int32],
    lights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the light that falls on each vertex from some directions, shadows included.

    Parameters
    ----------
    points, normals : (n, 3) float32 arrays
        In decimetres, the head near the origin; unit normals.
    triangles : (t, 3) int32 array
        What casts shadows: numbers of points.
    lights : (d, 4) float32 array
        Unit vector towards each light, and its strength.

    Returns
    -------
    (n,) float32 array
        Sum of strength x cosine over the lights that a vertex sees.
    """
    total = np.zeros(len(points), np.float32)
    for *direction, strength in lights:
        if strength > 0:
            toward = np.array(direction, np.float32)
            lit = reached(points, points, triangles, toward, _SIDE, _BIAS)
            total += np.float32(strength) * np.maximum(normals @ toward, 0) * lit
    return total


def reached(
    places: NDArray[np.float32],
    points: NDArray[np.float32],
    triangles: NDArray[np.int32],
    toward: NDArray[np.float32],
    side: int,
    bias: float,
) -> NDArray[np.bool_]:
    """Return which `places`, (k, 3), a light in the direction `toward` reaches.

    Parameters
    ----------
    side : int
        Pixels of a side of the light's depth map.
    bias : float
        Decimetres that a place may lie behind what is nearest to the light.
    """
    helper = (0, 1, 0) if abs(toward[1]) < 0.9 else (1, 0, 0)
    across = np.cross(np.array(helper, np.float32), toward)
    across /= np.linalg.norm(across)
    axes = np.stack([across, np.cross(toward, across), toward], 1).astype(np.float32)
    scale, middle = np.float32(side / _COVER), np.float32(side / 2)
    ours, theirs = points @ axes, places @ axes
    ours[:, :2] = ours[:, :2] * scale + middle
    theirs[:, :2] = theirs[:, :2] * scale + middle
    depth = rasterise(ours, triangles, side, side).depth
    place = np.clip(np.round(theirs[:, :2]).astype(np.int32), 0, side - 1)
    lit: NDArray[np.bool_] = theirs[:, 2] > depth[place[:, 1], place[:, 0]] - np.float32(bias)
    return lit


@njit(cache=True)
def _draw(
    points: NDArray[np.float32],
    triangles: NDArray[np.int32],
    triangle: NDArray[np.int32],
    weights: NDArray[np.float32],
    depth: NDArray[np.float32],
) -> None:
    height, width = depth.shape
    for t in range(len(triangles)):
        a, b, c = points[triangles[t, 0]], points[triangles[t, 1]], points[triangles[t, 2]]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if abs(area) < 1e-9:
            continue
        left = max(0, int(np.ceil(min(a[0], b[0], c[0]))))
        right = min(width - 1, int(np.floor(max(a[0], b[0], c[0]))))
        top = max(0, int(np.ceil(min(a[1], b[1], c[1]))))
        bottom = min(height - 1, int(np.floor(max(a[1], b[1], c[1]))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
                v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
                w = 1 - u - v
                if u < -1e-5 or v < -1e-5 or w < -1e-5:
                    continue
                z = u * a[2] + v * b[2] + w * c[2]
                if z > depth[y, x]:
                    depth[y, x] = z
                    triangle[y, x] = t
                    weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = u, v, w
