"""The face as a surface: depth for turning the head, slopes for shading it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gcnet_caffe.rendering import canvas

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array, Map, Shape, Show

#: Depth samples per face unit.
_RESOLUTION = 18
_X = np.arange(canvas.LEFT, canvas.RIGHT, 1 / _RESOLUTION) + 0.5 / _RESOLUTION
_Y = np.arange(canvas.TOP, canvas.BOTTOM, 1 / _RESOLUTION) + 0.5 / _RESOLUTION


def depth_map(
    shape: Shape,
    points: Array,
    show: Show,
) -> Map:
    """Depth of the face towards the viewer.

    Parameters
    ----------
    shape : dict
        The subject's traits, the keys of `SHAPE`.
    points : (68, 2) array
        Landmarks in frontal view, face units.
    show : callable
        show(unit) gives the strengths (right, left) of an action unit.

    Returns
    -------
    (H, W) float32 array
        In face units, over the area of the canvas.
    """
    radius = ((_X[None] / (1.14 * shape["face_width"])) ** 2) + ((_Y[:, None] - 0.3) / 4.0) ** 2
    depth = 2.0 * np.sqrt(np.maximum(1 - radius, 0) + 0.1)
    for x, y, wide, high, height in _bumps(shape, points, show):
        column = np.exp(-0.5 * ((_Y - y) / high) ** 2)
        depth += height * np.outer(column, np.exp(-0.5 * ((_X - x) / wide) ** 2))
    return depth.astype(np.float32)


def _bumps(
    s: Shape, points: Array, show: Show
) -> Iterator[tuple[float, float, float, float, float]]:
    """(x, y, width, height, depth) of the Gaussian hills and hollows of the face."""
    tip = points[30, 1]
    yield 0, 0.60 * tip, 0.20, 0.45 * tip, s["nose_ridge"]
    yield 0, tip, 0.25, 0.22, s["nose_tip"]
    width = points[54, 0] - points[48, 0]
    yield 0, points[[51, 62], 1].mean(), 0.30 * width, 0.11, 0.12
    yield 0, points[[57, 66], 1].mean(), 0.28 * width, 0.12, 0.18
    yield 0, points[57, 1] + 0.20, 0.45, 0.13, -0.14
    yield 0, points[8, 1] - 0.38, 0.45, 0.28, 0.25 + 0.10 * show(17).mean()
    for side, sign in enumerate((-1, 1)):
        brow, eye, wing = ((19, 36, 31), (24, 42, 35))[side]
        corner = points[(48, 54)[side]]
        lift = show(6)[side] + show(12)[side]
        yield *points[wing] * (0.75, 1) + (0, -0.02), 0.13, 0.13, 0.22
        yield sign * 0.95, points[brow, 1] + 0.10, 0.50, 0.20, s["brow_ridge"] + 0.1 * show(4)[side]
        x, y = points[eye : eye + 6].mean(axis=0)
        yield x - sign * 0.1, y - 0.08, 0.50, 0.30, -s["eye_socket"]
        yield x, y, 0.32, 0.24, 0.18
        yield sign * 1.15, 1.15 - 0.12 * lift, 0.45, 0.40, s["cheek"] + 0.14 * lift
        yield *corner + (sign * 0.10, 0.02), 0.13, 0.16, -0.10 - 0.16 * show(14)[side]


def sample(depth: Map, points: Array) -> Array:
    """Return the depth at some points, interpolated.

    Parameters
    ----------
    depth : (H, W) array
        From `depth_map`.
    points : (N, 2) array
        In face units.

    Returns
    -------
    (N,) array
        In face units.
    """
    at = (np.asarray(points, np.float32) - (canvas.LEFT, canvas.TOP)) * _RESOLUTION - 0.5
    return _lookup(depth, at[:, 0], at[:, 1])[:, 0].astype(float)


def _lookup(depth: Map, x: Map | Array, y: Map | Array) -> Map:
    x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
    found = cv2.remap(depth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32)


def lookup(depth: Map, x: Map | Array, y: Map | Array) -> Map:
    """Return the depth at each of some places, interpolated.

    Parameters
    ----------
    depth : array
        From `depth_map`.
    x, y : (H, W) arrays
        The places, in face units.

    Returns
    -------
    (H, W) float32 array
        In face units.
    """
    return _lookup(
        depth, (x - canvas.LEFT) * _RESOLUTION - 0.5, (y - canvas.TOP) * _RESOLUTION - 0.5
    )


def shading(depth: Map, light: Array, ambient: float) -> Map:
    """Brightness (about 0..1.3; 1 where the surface faces the viewer) under one distant light.

    Parameters
    ----------
    depth : (H, W) array
        From `depth_map`.
    light : (3,) array
        Unit vector towards the light: x right, y down, z to the viewer.
    ambient : float
        Share of the brightness that has no direction, 0..1.

    Returns
    -------
    (H, W) float32 array
        At the resolution of the canvas.
    """
    slope_y, slope_x = np.gradient(depth * _RESOLUTION)
    facing = (light[2] - slope_x * light[0] - slope_y * light[1]) / np.sqrt(
        1 + slope_x**2 + slope_y**2
    )
    bright = ambient + (1 - ambient) * np.maximum(facing, 0) / max(light[2], 0.4)
    height = round((canvas.BOTTOM - canvas.TOP) * canvas.PIXELS)
    width = round((canvas.RIGHT - canvas.LEFT) * canvas.PIXELS)
    bright = bright.astype(np.float32)
    large = cv2.resize(bright, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)
