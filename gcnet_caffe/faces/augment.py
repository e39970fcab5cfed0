"""Augmentation of the train faces: scaling, rotation and intensity multiplication.

The paper names the kinds (section IV-A), not the ranges; ours are below. Flipping and the random
64x64 crop are left to Caffe's Data layer, which draws them anew in every epoch.
"""

import cmath
import math
from typing import NamedTuple

import numpy as np

from gcnet_caffe.faces.align import SIZE, Similarity, equalise, fit_similarity, warp

#: Uniform ranges of one draw.
SCALE_RANGE = (0.9, 1.1)
ANGLE_RANGE = (-10.0, 10.0)  # degrees, about the centre of the crop
GAIN_RANGE = (0.8, 1.2)  # factor on the equalised grey values, clipped at 255


class Draw(NamedTuple):
    """What is done to one face; a query and its reference share one draw."""

    scale: float
    angle: float
    gain: float


NO_AUGMENTATION = Draw(scale=1.0, angle=0.0, gain=1.0)


def draw(seed, row, copy):
    """The draw of one record; copy 0 is not augmented.

    It depends on nothing but its arguments, so that records are the same whichever process makes
    them, and in whatever order.

    Parameters
    ----------
    seed, row, copy : int
        Not negative.
    """
    if copy == 0:
        return NO_AUGMENTATION
    rng = np.random.default_rng([seed, row, copy])
    return Draw(*(rng.uniform(low, high) for low, high in (SCALE_RANGE, ANGLE_RANGE, GAIN_RANGE)))


def face_crop(image, points, drawn=NO_AUGMENTATION):
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

    Returns
    -------
    (66, 66) ndarray of uint8
    """
    crop = equalise(warp(image, _turn(drawn).after(fit_similarity(points))))
    if drawn.gain == 1:
        return crop
    return np.clip(np.rint(crop * drawn.gain), 0, 255).astype(np.uint8)


def mirrored(image, points):
    """Mirror a face: the picture, and its five points with right and left exchanged.

    What is the right eye of the mirrored face was the left one. The crop's layout is symmetric, so
    that up to CLAHE the crop of the mirrored face is the mirrored crop, and Caffe's ``mirror`` may
    come after it. CLAHE's tiles start at the left, so that it leaves a small difference.

    Parameters
    ----------
    image : (H, W) ndarray of uint8
    points : (5, 2) ndarray

    Returns
    -------
    (H, W) ndarray of uint8, (5, 2) ndarray
    """
    points = points[[1, 0, 2, 4, 3]]
    points = np.column_stack([image.shape[1] - 1 - points[:, 0], points[:, 1]])
    return np.ascontiguousarray(image[:, ::-1]), points


def _turn(drawn):
    """Scaling and rotation about the centre of the crop."""
    turn = cmath.rect(drawn.scale, math.radians(drawn.angle))
    centre = (SIZE - 1) / 2 * (1 + 1j)
    return Similarity(turn, centre - turn * centre)
