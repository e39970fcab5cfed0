"""Augmentation of the train faces: scaling, rotation and intensity multiplication.

The paper says which kinds (section IV-A), not the ranges; ours are below. Caffe's Data layer does
the flipping and the random 64x64 crop, with new draws in every epoch. On request, light, sharpness
and noise vary too, and a part is hidden (`Light`): rendered faces are cleaner than photographs.
"""

from __future__ import annotations

import cmath
import math
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from gcnet_caffe.faces.align import SIZE, Similarity, equalise, fit_similarity, warp

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Uniform ranges of one draw.
SCALE_RANGE = (0.9, 1.1)
ANGLE_RANGE = (-10.0, 10.0)  # degrees, about the centre of the crop
GAIN_RANGE = (0.8, 1.2)  # factor on the equalised grey values, clipped at 255

#: The same of `Light`, which the paper does not have.
SLOPE_RANGE = (0.0, 0.5)  # of the light's plane, from the middle of the crop to an edge
BLUR_RANGE = (0.0, 1.2)  # sigma in pixels of the crop; half of the faces are blurred ...
SHARPENING_RANGE = (0.0, 1.0)  # ... and half are sharpened by an unsharp mask of this amount
GAMMA_RANGE = (0.5, 2.0)  # exponent on grey / 255; its logarithm is uniform
CONTRAST_RANGE = (0.7, 1.4)  # factor on the distance from the mean
NOISE_RANGE = (0.0, 6.0)  # sigma in grey values
PATCH_PROBABILITY = 0.3
PATCH_SIDES = (6, 14)  # pixels, both included; the mouth is 17 wide

#: Coordinates of the crop's columns, or rows.
_ACROSS = np.linspace(-1, 1, SIZE)


class Light(NamedTuple):
    """What else is done to a face if its copies shall look less clean.

    Attributes
    ----------
    slope : (float, float)
        The grey values are multiplied by 1 + a x + b y, where x and y are -1..1 in the crop.
    blur : float
        Sigma of a Gaussian in pixels of the crop; 0 for none.
    sharpening : float
        Amount of an unsharp mask; 0 for none.
    gamma : float
        Exponent on the equalised grey / 255: above 1 darkens.
    contrast : float
        Factor on the distance from the mean of the equalised grey values.
    noise : float
        Sigma in grey values. Query and reference differ in their noise.
    noise_seed : int
    patch : (int, int, int, int), optional
        Left, top, width, height of the rectangle that is hidden.
    """

    slope: tuple[float, float] = (0.0, 0.0)
    blur: float = 0.0
    sharpening: float = 0.0
    gamma: float = 1.0
    contrast: float = 1.0
    noise: float = 0.0
    noise_seed: int = 0
    patch: tuple[int, int, int, int] | None = None


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
    light : Light, optional
    """

    scale: float
    angle: float
    gain: float
    light: Light | None = None


NO_AUGMENTATION = Draw(scale=1.0, angle=0.0, gain=1.0)


def draw(seed: int, row: int, copy: int, photometric: bool = False) -> Draw:
    """Return the draw of one record; copy 0 is not augmented.

    It depends only on its arguments, so records do not depend on which process makes them, or in
    which order.

    Parameters
    ----------
    seed, row, copy : int
        Not negative.
    photometric : bool
        Whether it has a `Light`; scale, angle and gain are the same with and without.
    """
    if copy == 0:
        return NO_AUGMENTATION
    rng = np.random.default_rng([seed, row, copy])
    scale, angle, gain = (rng.uniform(*r) for r in (SCALE_RANGE, ANGLE_RANGE, GAIN_RANGE))
    return Draw(scale, angle, gain, _draw_light(rng) if photometric else None)


def _draw_light(rng: np.random.Generator) -> Light:
    slope = cmath.rect(rng.uniform(*SLOPE_RANGE), rng.uniform(-math.pi, math.pi))
    blurred, hidden = rng.random(2) < (0.5, PATCH_PROBABILITY)
    blur, sharpening = rng.uniform(*BLUR_RANGE), rng.uniform(*SHARPENING_RANGE)
    width, height = rng.integers(*PATCH_SIDES, size=2, endpoint=True).tolist()
    left, top = rng.integers(SIZE - np.array([width, height]), endpoint=True).tolist()
    return Light(
        slope=(slope.real, slope.imag),
        blur=blur if blurred else 0.0,
        sharpening=0.0 if blurred else sharpening,
        gamma=math.exp(rng.uniform(*np.log(GAMMA_RANGE))),
        contrast=rng.uniform(*CONTRAST_RANGE),
        noise=rng.uniform(*NOISE_RANGE),
        noise_seed=int(rng.integers(2**32)),
        patch=(left, top, width, height) if hidden else None,
    )


def face_crop(
    image: NDArray[np.uint8],
    points: NDArray[np.float64],
    drawn: Draw = NO_AUGMENTATION,
    place: int = 0,
) -> NDArray[np.uint8]:
    """Align, augment and equalise one face.

    Alignment, scaling and rotation are one warp of the photograph. The intensity, gamma and
    contrast change after the equalisation, which would undo them. Noise and the hidden patch come
    last.

    Parameters
    ----------
    image : (H, W) ndarray of uint8
        The grey photograph.
    points : (5, 2) ndarray
        The five landmarks, x, y in pixels.
    drawn : Draw
        By default the face is not augmented.
    place : int
        0 for a query, 1 for its reference: their noise differs.

    Returns
    -------
    (66, 66) ndarray of uint8
    """
    crop = warp(image, _turn(drawn).after(fit_similarity(points)))
    if drawn.light:
        crop = relit(crop, drawn.light)
    crop = equalise(crop)
    if drawn.gain != 1:
        crop = _grey(crop * drawn.gain)
    return worn(toned(crop, drawn.light), drawn.light, place) if drawn.light else crop


def relit(crop: NDArray[np.uint8], light: Light) -> NDArray[np.uint8]:
    """Return a crop in light from one side, with another sharpness, before CLAHE.

    Parameters
    ----------
    crop : (66, 66) ndarray of uint8
    light : Light

    Returns
    -------
    (66, 66) ndarray of uint8
    """
    a, b = light.slope
    crop = _grey(crop * (1 + a * _ACROSS + b * _ACROSS[:, None]))
    if light.blur:
        return _blurred(crop, light.blur)
    if light.sharpening:
        return _grey(crop + light.sharpening * (crop - _blurred(crop, 1.0).astype(float)))
    return crop


def toned(crop: NDArray[np.uint8], light: Light) -> NDArray[np.uint8]:
    """Return a crop with another brightness and contrast, after CLAHE.

    Parameters
    ----------
    crop : (66, 66) ndarray of uint8
    light : Light

    Returns
    -------
    (66, 66) ndarray of uint8
    """
    grey = (255 * np.linspace(0, 1, 256) ** light.gamma)[crop]
    mean = grey.mean()
    return _grey(mean + light.contrast * (grey - mean))


def worn(crop: NDArray[np.uint8], light: Light, place: int) -> NDArray[np.uint8]:
    """Return a crop with noise and a hidden patch.

    Parameters
    ----------
    crop : (66, 66) ndarray of uint8
        After CLAHE.
    light : Light
    place : int
        Of the crop among those that share `light`: each has other noise.

    Returns
    -------
    (66, 66) ndarray of uint8
    """
    if light.noise:
        rng = np.random.default_rng([light.noise_seed, place])
        crop = _grey(crop + light.noise * rng.standard_normal(crop.shape, np.float32))
    if light.patch:
        left, top, width, height = light.patch
        crop = crop.copy()
        patch = crop[top : top + height, left : left + width]
        patch[:] = patch.mean().round()
    return crop


def _blurred(crop: NDArray[np.uint8], sigma: float) -> NDArray[np.uint8]:
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), sigma), np.uint8)


def _grey(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    return values.round().clip(0, 255).astype(np.uint8)


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
