"""A grey canvas in face units, on which soft outlines and strokes are painted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from gcnet_caffe.rendering._types import Array, Grey, Map, Tone

#: What the canvas covers, in face units, and its resolution.
LEFT, RIGHT, TOP, BOTTOM = -4.3, 4.3, -4.6, 5.2
PIXELS = 36  # per face unit; a 240x240 picture shows about 27
_SHIFT = 4  # fractional bits of OpenCV's coordinates


def to_pixels(points: ArrayLike) -> Array:
    """Return the canvas pixels (x, y) of points in face units; pixel centres are whole numbers.

    Parameters
    ----------
    points : (..., 2) array_like
        x, y in face units.

    Returns
    -------
    (..., 2) array
    """
    return (np.asarray(points, float) - (LEFT, TOP)) * PIXELS - 0.5


class Canvas:
    """Grey tones and coverage of a picture in face units.

    Attributes
    ----------
    tones : (H, W) float32 array
        Reflectance, 0..1.
    cover : (H, W) uint8 array
        0 where nothing of the head was painted.
    """

    def __init__(self) -> None:
        size = (round((BOTTOM - TOP) * PIXELS), round((RIGHT - LEFT) * PIXELS))
        self.tones = np.zeros(size, np.float32)
        self.cover = np.zeros(size, np.uint8)

    def fill(
        self,
        outline: Array,
        tone: Tone,
        opacity: float = 1.0,
        soft: float = 0.0,
        inside: Array | None = None,
    ) -> None:
        """Paint a polygon.

        Parameters
        ----------
        outline : (N, 2) array
            Corners in face units.
        tone : float or (H, W) array
            0..1; an array has the canvas's size.
        opacity : float
            0..1.
        soft : float
            Standard deviation of the edge's blur, in face units.
        inside : (M, 2) array, optional
            Paint only inside this second polygon.
        """
        polygons = [outline] if inside is None else [outline, inside]
        self._paint(outline, tone, opacity, soft, 0, lambda mask: _fill(mask, polygons))

    def stroke(
        self,
        line: ArrayLike,
        tone: Tone,
        width: float,
        opacity: float = 1.0,
        soft: float = 0.0,
    ) -> None:
        """Paint along a polyline.

        Parameters
        ----------
        line : (N, 2) array_like
            Its points in face units.
        tone, opacity, soft
            As in `fill`.
        width : float
            Thickness in face units.
        """
        thickness = max(1, int(round(width * PIXELS)))
        self._paint(line, tone, opacity, soft, thickness, lambda mask: _line(mask, line, thickness))

    def silhouette(self, outline: Array) -> None:
        """Mark the polygon `outline`, (N, 2) in face units, as covered by the head."""
        cv2.fillPoly(self.cover, [_fixed(outline)], 255, cv2.LINE_AA, _SHIFT)

    def _paint(
        self,
        around: ArrayLike,
        tone: Tone,
        opacity: float,
        soft: float,
        margin: int,
        draw: Callable[[_Window], None],
    ) -> None:
        sigma = soft * PIXELS
        box = _box(around, int(3 * sigma) + margin + 2, self.tones.shape)
        if box is None:
            return
        mask = np.zeros((box[0].stop - box[0].start, box[1].stop - box[1].start), np.uint8)
        draw(_Window(mask, (box[1].start, box[0].start)))
        if sigma > 0.3:
            mask = cv2.GaussianBlur(mask, (0, 0), sigma)
        alpha = mask.astype(np.float32) * np.float32(opacity / 255)
        fresh = tone[box] if isinstance(tone, np.ndarray) else np.float32(tone)
        part = self.tones[box]
        part += alpha * (fresh - part)


class _Window:
    """A mask and the canvas pixel of its corner."""

    def __init__(self, mask: Grey, corner: tuple[int, int]) -> None:
        self.mask, self.corner = mask, corner


def _box(points: ArrayLike, margin: int, size: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Slices of the canvas around the points, or None when they lie outside."""
    pixels = to_pixels(points)
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - margin, 0)
    high = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + margin + 1, (size[1], size[0]))
    if (high <= low).any():
        return None
    return slice(low[1], high[1]), slice(low[0], high[0])


def _fixed(points: ArrayLike, corner: tuple[int, int] = (0, 0)) -> NDArray[np.int32]:
    return np.round((to_pixels(points) - corner) * (1 << _SHIFT)).astype(np.int32)


def _fill(window: _Window, polygons: Sequence[Array]) -> None:
    first, *others = (_fixed(polygon, window.corner) for polygon in polygons)
    cv2.fillPoly(window.mask, [first], 255, cv2.LINE_AA, _SHIFT)
    for polygon in others:
        clip = np.zeros_like(window.mask)
        cv2.fillPoly(clip, [polygon], 255, cv2.LINE_AA, _SHIFT)
        np.minimum(window.mask, clip, out=window.mask)


def _line(window: _Window, line: ArrayLike, thickness: int) -> None:
    points = _fixed(line, window.corner)
    cv2.polylines(window.mask, [points], False, 255, thickness, cv2.LINE_AA, _SHIFT)


def noise(rng: np.random.Generator, cells: tuple[int, int], size: tuple[int, ...]) -> Map:
    """Return smooth noise.

    Parameters
    ----------
    rng : numpy Generator
    cells : (rows, columns)
        Number of patches that the noise is made of.
    size : (height, width)

    Returns
    -------
    (height, width) float32 array
        Values of about -1..1.
    """
    coarse = np.clip(rng.normal(size=cells), -2, 2).astype(np.float32) / 2
    fine = cv2.resize(coarse, (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    return np.asarray(fine, np.float32)


def ellipse(centre: ArrayLike, radii: ArrayLike, count: int = 20) -> Array:
    """Return an ellipse as a polygon.

    Parameters
    ----------
    centre : (2,) array_like
    radii : float or (2,) array_like
        Half the width and half the height, in the unit of `centre`.
    count : int
        Corners of the polygon.

    Returns
    -------
    (count, 2) array
    """
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return circle * np.asarray(radii, np.float64) + np.asarray(centre, np.float64)
