"""Augmentation of the train faces: scaling, rotation and intensity multiplication.

The paper says which kinds (section IV-A), not the ranges; ours are below. Caffe's Data layer does
the flipping and the random 64x64 crop, with new draws in every epoch.
"""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gcnet_caffe.faces.align import SIZE, Similarity, equalise, fit_similarity, warp

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Uniform ranges of one draw.
SCALE_RANGE = (0.9, 1.1)
ANGLE_RANGE = (-10.0, 10.0)  # degrees, about the centre of the crop
GAIN_RANGE = (0.8, 1.2)  # factor on the equalised grey values, clipped at 255


class Draw(NamedTuple):
    """What is done to one face; a query and its reference share one draw.

    Attributes
    ----------
    scale : float
        Factor on the size of the face.
    angle : float
        Degrees, about the centre of the crop.
    gain : float
        Factor on the equalised grey values.
    """

    scale: float
    angle: float
    gain: float


NO_AUGMENTATION = Draw(scale=1.0, angle=0.0, gain=1.0)


def draw(seed: int, row: int, copy: int) -> Draw:
    """Return the draw of one record; copy 0 is not augmented.

    It depends only on its arguments, so records do not depend on which process makes them, or in
    which order.

    Parameters
    ----------
    seed, row, copy : int
        Not negative.
    """
    if copy == 0:
        return NO_AUGMENTATION
    rng = np.random.default_rng([seed, row, copy])
    return Draw(*(rng.uniform(low, high) for low, high in (SCALE_RANGE, ANGLE_RANGE, GAIN_RANGE)))


def face_crop(
    image: NDArray[np.uint8], points: NDArray[np.float64], drawn: Draw = NO_AUGMENTATION
) -> NDArray[np.uint8]:
    """Align, augment and equalise one face.

    Alignment, scaling and rotation are one warp of the photograph. The intensity is multiplied
    after the equalisation, which would undo it.

    Parameters
    ----------
    image : (H, W) ndarray of uint8
        The grey photograph.
    points : (5, 2) ndarray
        The five landmarks, x, y in pixels.
    drawn : Draw
        By default the face is not augmented.

    Returns
    -------
    (66, 66) ndarray of uint8
    """
    crop = equalise(warp(image, _turn(drawn).after(fit_similarity(points))))
    if drawn.gain == 1:
        return crop
    return (crop * drawn.gain).round().clip(0, 255).astype(np.uint8)


def mirrored(
    image: NDArray[np.uint8], points: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Mirror a face: the picture, and its five points with right and left exchanged.

    The right eye of the mirrored face is the left eye of the face. The crop's layout is symmetric:
    before CLAHE, the crop of the mirrored face is the mirrored crop, so Caffe's ``mirror`` may be
    applied to crops. CLAHE's tiles start at the left, which makes a small difference.

    Parameters
    ----------
    image : (H, W) ndarray of uint8
    points : (5, 2) ndarray
        x, y in pixels.

    Returns
    -------
    (H, W) ndarray of uint8, (5, 2) ndarray
    """
    points = points[[1, 0, 2, 4, 3]]
    points = np.column_stack([image.shape[1] - 1 - points[:, 0], points[:, 1]])
    return np.ascontiguousarray(image[:, ::-1]), points


def _turn(drawn: Draw) -> Similarity:
    """Scaling and rotation about the centre of the crop."""
    turn = cmath.rect(drawn.scale, math.radians(drawn.angle))
    centre = (SIZE - 1) / 2 * (1 + 1j)
    return Similarity(turn, centre - turn * centre)
