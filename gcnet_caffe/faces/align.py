"""Alignment: one face of a photograph, from its five points to a 66x66 grey crop.

A similarity transform (scale, rotation, translation) moves the five points as close as possible to
a fixed layout. The paper gives the five points and the size (section IV-A), not the layout; ours
keeps brows and chin inside the crop, with room for a lowered jaw and for the random 64x64 crop.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of the crop in pixels.
SIZE = 66

#: x, y in the crop of the right eye, left eye, nose tip, right and left mouth corner: symmetric,
#: with the proportions of an average adult face. Right is the subject's right, on the left of the
#: picture.
CANONICAL = np.array(
    [[22.0, 22.0], [43.0, 22.0], [32.5, 34.0], [24.0, 46.0], [41.0, 46.0]], dtype=np.float64
)

#: Contrast-limited adaptive histogram equalisation, in train and test alike.
CLAHE_CLIP_LIMIT = 2.0
CLAHE_TILES = (4, 4)

_SAMPLE_SPACING = 1.5  # source pixels; a bilinear sample sees two in each direction


class Similarity(NamedTuple):
    """Scale, rotation and shift of the plane: z -> a z + b, where z = x + iy."""

    a: complex
    b: complex

    def after(self, first: Similarity) -> Similarity:
        """Return the similarity that does `first`, then this one.

        Parameters
        ----------
        first : Similarity

        Returns
        -------
        Similarity
        """
        return Similarity(self.a * first.a, self.a * first.b + self.b)

    def matrix(self) -> NDArray[np.float64]:
        """Return the (2, 3) matrix that maps (x, y, 1) to (x, y)."""
        a, b = self
        return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def fit_similarity(points: NDArray[np.float64]) -> Similarity:
    """Return the similarity that moves `points` closest to `CANONICAL`, by least squares.

    Parameters
    ----------
    points : (5, 2) ndarray
        x, y in pixels of the photograph.

    Returns
    -------
    Similarity
        From photograph to crop coordinates. It never mirrors.
    """
    source = _complex(points)
    middle = source.sum() / 5
    source = source - middle
    a = np.vdot(source, _TARGET) / np.vdot(source, source).real
    return Similarity(complex(a), complex(_MIDDLE - a * middle))


def _complex(points: NDArray[np.float64]) -> NDArray[np.complex128]:
    return np.ascontiguousarray(points, np.float64).view(np.complex128).ravel()


_MIDDLE = _complex(CANONICAL).mean()
_TARGET = _complex(CANONICAL) - _MIDDLE


def warp(image: NDArray[np.uint8], similarity: Similarity) -> NDArray[np.uint8]:
    """Return the crop of a photograph, sampled in one interpolation.

    Where the crop is smaller than the face, each of its pixels is the mean of a grid of bilinear
    samples: sampling once would alias.

    Parameters
    ----------
    image : (H, W) ndarray of uint8
    similarity : Similarity
        From `image` to crop coordinates.

    Returns
    -------
    (66, 66) ndarray of uint8
        Outside the image its edge pixels are repeated.
    """
    grid = max(1, math.ceil(1 / abs(similarity.a) / _SAMPLE_SPACING))
    # (0, 0) is the centre of a pixel, not its corner
    fine = Similarity(grid, (grid - 1) / 2 * (1 + 1j)).after(similarity)
    samples = cv2.warpAffine(
        image,
        fine.matrix(),
        (SIZE * grid, SIZE * grid),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    crop = cv2.resize(samples, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(crop, np.uint8)


def equalise(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a crop after contrast-limited adaptive histogram equalisation.

    Parameters
    ----------
    crop : (66, 66) ndarray of uint8
        Grey values, 0..255.

    Returns
    -------
    (66, 66) ndarray of uint8
    """
    return np.asarray(_own.clahe.apply(crop), np.uint8)


class _Own(threading.local):
    """What each thread makes for itself, once: it takes a third of the time of one equalisation."""

    def __init__(self) -> None:
        self.clahe = cv2.createCLAHE(CLAHE_CLIP_LIMIT, CLAHE_TILES)


_own = _Own()
