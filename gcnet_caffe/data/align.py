"""Alignment: one face of a photograph, from its five points to a 66x66 grey crop.

A similarity transform (scale, rotation, translation) brings the five points as close as it can to a
canonical layout. The paper gives the five points and the size (section IV-A), not the layout; ours
keeps brows and chin inside the crop, with room for a lowered jaw and for the random 64x64 crop.
"""

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


def fit_similarity(points):
    """The similarity transform that brings `points` closest to `CANONICAL`, by least squares.

    Parameters
    ----------
    points : (5, 2) ndarray
        x, y in pixels of the photograph.

    Returns
    -------
    (2, 3) ndarray of float64
        Matrix from photograph to crop coordinates. It never mirrors.
    """
    source = points @ (1, 1j)  # as complex numbers a similarity is w = a z + b
    target = CANONICAL @ (1, 1j)
    centred = source - source.mean()
    a = (centred.conj() @ (target - target.mean())) / (centred.conj() @ centred).real
    b = target.mean() - a * source.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def warp(image, matrix):
    """Sample the crop that `matrix` maps `image` to, in one interpolation.

    Where the crop is smaller than the face, each of its pixels is the mean of a grid of bilinear
    samples about one source pixel apart: sampling once would alias.

    Parameters
    ----------
    image : (H, W) ndarray of uint8
    matrix : (2, 3) ndarray
        From `image` to crop coordinates.

    Returns
    -------
    (66, 66) ndarray of uint8
        Beyond the image's border its edge pixels are repeated.
    """
    shrink = 1 / np.sqrt(np.linalg.det(matrix[:, :2]))
    grid = max(1, int(np.ceil(shrink)))
    fine = matrix * grid
    fine[:, 2] += (grid - 1) / 2  # (0, 0) is the centre of a pixel, not its corner
    samples = cv2.warpAffine(
        image,
        fine,
        (SIZE * grid, SIZE * grid),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cv2.resize(samples, (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def equalise(crop):
    """Contrast-limited adaptive histogram equalisation of a grey uint8 `crop`."""
    return cv2.createCLAHE(CLAHE_CLIP_LIMIT, CLAHE_TILES).apply(crop)
