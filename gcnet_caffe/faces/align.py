"""Alignment: one face of a photograph, from its five points to a 66x66 grey crop.

A similarity transform (scale, rotation, translation) brings the five points as close as it can to a
canonical layout. The paper gives the five points and the size (section IV-A), not the layout; ours
keeps brows and chin inside the crop, with room for a lowered jaw and for the random 64x64 crop.
"""

import math
import threading
from typing import NamedTuple

import cv2
import numpy as np

#: Side of the crop in pixels.
SIZE = 66

#: x, y in the crop of the right eye, left eye, nose tip, right and left mouth corner (the subject's
#: right, so on the picture's left): symmetric, with the proportions of an average adult face.
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

    def after(self, first):
        """The similarity that does `first`, then this one."""
        return Similarity(self.a * first.a, self.a * first.b + self.b)

    def matrix(self):
        """As the (2, 3) matrix that takes (x, y, 1) to (x, y)."""
        a, b = self
        return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def fit_similarity(points):
    """The similarity that brings `points` closest to `CANONICAL`, by least squares.

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


def _complex(points):
    return np.ascontiguousarray(points, np.float64).view(np.complex128).ravel()


_MIDDLE = _complex(CANONICAL).mean()
_TARGET = _complex(CANONICAL) - _MIDDLE


def warp(image, similarity):
    """Sample the crop that `similarity` maps `image` to, in one interpolation.

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
        Beyond the image's border its edge pixels are repeated.
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
    return cv2.resize(samples, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def equalise(crop):
    """Contrast-limited adaptive histogram equalisation of a grey uint8 `crop`."""
    return _own.clahe.apply(crop)


class _Own(threading.local):
    """What each thread has for itself: making it takes a third of the time that using it does."""

    def __init__(self):
        self.clahe = cv2.createCLAHE(CLAHE_CLIP_LIMIT, CLAHE_TILES)


_own = _Own()
