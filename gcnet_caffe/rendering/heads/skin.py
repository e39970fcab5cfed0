"""What the head's surface looks like: a tone at each pixel, as a function of the place on the head.

Places are those of the average head at rest (decimetres), so that brows, lips, beard and lines
move with the face. Lines deepen with the units that fold the skin there, and with age.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from gcnet_caffe.rendering.heads.acting import Units, both_sides
from gcnet_caffe.rendering.heads.model import MATERIALS, head

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from gcnet_caffe.rendering.heads.subject import Looks, Texture

    Array = NDArray[np.float32]

#: Centre of the left eye's iris, and the radius of the eye.
IRIS, EYE_RADIUS = (0.308, 7.284), 0.14
_BROW_HEIGHT = 7.445


class Fold(NamedTuple):
    """A line in the skin, on both sides: darker along a stroke of Gaussian profile."""

    start: tuple[float, float]  # distance from the middle, height
    end: tuple[float, float]
    width: float  # standard deviation
    units: dict[str, float] = {}  # unit -> how dark it makes the line
    age: float = 0.0  # how dark wrinkles alone make it
    look: str = ""  # the field of Looks that makes it as dark
    fixed: float = 0.0
    most: float = 0.5


#: From the nose to the mouth, around the mouth, between and over the brows, around the eyes.
FOLDS = (
    Fold((0.20, 6.95), (0.37, 6.68), 0.026, {"mouthSmile": 0.22, "noseSneer": 0.30}, 0.12),
    Fold((0.20, 6.95), (0.37, 6.68), 0.022, {"mouthUpperUp": 0.25, "mouthStretch": 0.1}),
    Fold((0.275, 6.63), (0.30, 6.63), 0.02, {"mouthSmile": 0.35, "mouthDimple": 0.3}),
    Fold((0.27, 6.60), (0.33, 6.42), 0.022, {"mouthFrown": 0.3, "mouthShrugLower": 0.1}, 0.08),
    Fold((0.055, 7.40), (0.065, 7.56), 0.014, {"browDown": 0.38}, 0.05),
    Fold((0.0, 7.28), (0.08, 7.30), 0.014, {"noseSneer": 0.3}, most=0.4),
    Fold((0.0, 7.22), (0.09, 7.25), 0.012, {"noseSneer": 0.3}, most=0.4),
    Fold((0.08, 7.25), (0.13, 7.12), 0.014, {"noseSneer": 0.3}, most=0.4),
    *(
        Fold((0.0, y), (0.2, y - 0.01), 0.012, {"browInnerUp": 0.18, "browOuterUp": 0.1}, 0.06)
        for y in (7.66, 7.75, 7.84)
    ),
    *(
        Fold((0.2, y - 0.01), (0.42, y - 0.04), 0.012, {"browOuterUp": 0.25}, 0.06)
        for y in (7.66, 7.75, 7.84)
    ),
    *(
        Fold((0.53, 7.25 + 0.02 * j), (0.63, 7.22 + 0.05 * j), 0.009, {"cheekSquint": 0.2}, 0.05)
        for j in (-1, 0, 1)
    ),
    Fold((0.22, 7.15), (0.42, 7.13), 0.02, {"cheekSquint": 0.15}, look="eye_bags"),
    Fold((0.0, 6.45), (0.15, 6.45), 0.03, {"mouthShrugLower": 0.25}, fixed=0.1),
    Fold((0.18, 7.335), (0.44, 7.37), 0.02, fixed=0.12),  # crease of the upper lid
    Fold((0.06, 6.865), (0.095, 6.865), 0.018, fixed=0.75, most=0.75),  # nostril
    # the wing of the nose
    Fold((0.165, 6.95), (0.17, 6.86), 0.014, {"noseSneer": 0.2}, fixed=0.42, most=0.6),
    Fold((0.075, 7.26), (0.13, 7.0), 0.03, look="nose_sides"),
    Fold((0.13, 7.34), (0.17, 7.27), 0.03, look="eye_sockets"),
)


@dataclass
class Pixels:
    """The surface at each seen pixel: arrays of one length."""

    place: Array  # (p, 3) on the average head at rest
    normal: Array  # (p, 3) unit vectors, towards the camera: z
    uv: Array  # (p, 2) in the textures
    scalp: Array  # (p,) 0 skin, 1 hair
    material: NDArray[np.uint8]  # (p,) of MATERIALS
    x: Array = field(init=False)
    y: Array = field(init=False)
    z: Array = field(init=False)
    aside: Array = field(init=False)  # distance from the middle

    def __post_init__(self) -> None:
        self.x, self.y, self.z = np.ascontiguousarray(self.place.T)
        self.aside = np.abs(self.x)

    def made_of(self, material: str) -> NDArray[np.bool_]:
        """Return where the surface is of `material`."""
        there: NDArray[np.bool_] = self.material == MATERIALS.index(material)
        return there


class Surface(NamedTuple):
    """The tone of each pixel, and what else the light needs to know."""

    tone: Array  # (p,)
    lips: Array  # (p,) 0..1
    hair: Array  # (p,) 0..1
    inside: Array  # (p,) 0..1: the inside of the mouth


def smoothstep(low: float, high: float, x: Array) -> Array:
    """Return 0 below `low`, 1 above `high`, and a smooth step between; also with low > high."""
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    step: Array = t * t * (3 - 2 * t)
    return step


def paint(
    pixels: Pixels, looks: Looks, texture: Texture, units: Units, gaze: tuple[float, float]
) -> Surface:
    """Return the tone of each pixel, before light.

    Parameters
    ----------
    pixels : Pixels
    looks, texture
        Of the person.
    units : dict
        What the face does: it decides the lines.
    gaze : (right, up)
        Shift of the irises, in about a quarter of their width.
    """
    skin = pixels.made_of("skin")
    lips = _texture("lips", pixels) * skin
    inside = _texture("inside_mouth", pixels) * skin * (pixels.z < 1.42)
    fine = _noise(texture, pixels)
    coarse = np.sin(pixels.place @ texture.waves.T + texture.phases).mean(1)
    tone = looks.skin * (1 + 3 * looks.blotches * coarse + looks.pores * fine)
    tone = tone * (1 - folds(pixels, looks, units) * skin)
    tone = tone * (1 - lips * (1 - looks.lips))
    seam = _stroke(pixels, (0, 6.615), (0.24, 6.622), 0.011)
    tone = tone * (1 - 0.7 * seam * (lips > 0.2)) * (1 - 0.75 * inside)
    tone = _brows(pixels, looks, fine, tone)
    if looks.beard > 0:
        tone = _beard(pixels, looks, fine, lips, tone)
    hair, hair_tone = _hair(pixels, looks, texture, fine, coarse)
    tone = _over(tone, hair_tone, hair)
    clothes = skin & (pixels.y < 6.05 - 0.25 * pixels.aside)
    tone = np.where(clothes, np.float32(looks.clothes), tone)
    tone = np.where(pixels.made_of("eye"), _eyes(pixels, looks, gaze), tone)
    gaps = 0.93 + 0.07 * np.sign(np.sin(95 * pixels.aside))
    teeth = looks.teeth * gaps * (1 - 0.4 * smoothstep(0.1, 0.3, pixels.aside))
    tone = np.where(pixels.made_of("teeth"), teeth, tone)
    tone = np.where(pixels.made_of("tongue"), np.float32(0.28), tone)
    lower, upper = looks.skin * (0.6 + 0.3 * looks.lashes), looks.skin * (0.12 + 0.7 * looks.lashes)
    lashes = np.where(pixels.y < 7.28, np.float32(lower), np.float32(upper))
    tone = np.where(pixels.made_of("lashes"), lashes, tone)
    return Surface(np.clip(tone, 0.005, 1).astype(np.float32), lips, hair, inside)


def folds(pixels: Pixels, looks: Looks, units: Mapping[str, float]) -> Array:
    """Return how much darker (0..0.7) or lighter the lines of the face make each pixel."""
    total = np.zeros(len(pixels.x), np.float32)
    right = pixels.x < 0
    for fold in FOLDS:
        given = fold.age * looks.wrinkles + fold.fixed
        given += getattr(looks, fold.look) if fold.look else 0.0
        dark = np.full(2, given, np.float32)
        for unit, amount in fold.units.items():
            dark += amount * (0.4 + 0.6 * looks.wrinkles) * both_sides(dict(units), unit)
        dark = np.clip(dark, 0, fold.most)
        if dark.any():
            stroke = _stroke(pixels, fold.start, fold.end, fold.width)
            total += stroke * np.where(right, dark[0], dark[1])
    return np.clip(total, -0.3, 0.75)


def brow_height(looks: Looks, aside: Array) -> Array:
    """Return the height of the brow's middle line at a distance from the face's middle."""
    inner, outer = looks.brow_ends
    along = np.clip((aside - inner) / (outer - inner), -0.3, 1.3)
    arch = looks.brow_arch * np.sin(np.clip(along, 0, 1) * np.pi * 0.8)
    end = 0.15 * np.clip(along - 0.7, 0, 1)
    height: Array = _BROW_HEIGHT + looks.brow_height + 1.5 * looks.brow_tilt * along + arch - end
    return height


def _over(below: Array, above: Array | np.float32, cover: Array) -> Array:
    """Return two tones laid over each other; `cover` is 1 where only the upper one is seen."""
    mixed: Array = below * (1 - cover) + above * cover
    return mixed


def _stroke(
    pixels: Pixels, start: tuple[float, float], end: tuple[float, float], width: float
) -> Array:
    """Return exp(-d^2 / 2 width^2), d the distance to the segment, the same on both sides."""
    (x0, y0), (x1, y1) = start, end
    dx, dy = x1 - x0, y1 - y0
    x, y = pixels.aside - np.float32(x0), pixels.y - np.float32(y0)
    along = np.clip((x * np.float32(dx) + y * np.float32(dy)) / np.float32(dx**2 + dy**2), 0, 1)
    away = (x - along * np.float32(dx)) ** 2 + (y - along * np.float32(dy)) ** 2
    return np.exp(away * np.float32(-0.5 / width**2))


def _texture(name: str, pixels: Pixels) -> Array:
    texture = head().textures[name]
    u, v = pixels.uv[:, 0] * texture.shape[1] - 0.5, (1 - pixels.uv[:, 1]) * texture.shape[0] - 0.5
    return _lookup(texture, u, v)


def _noise(texture: Texture, pixels: Pixels) -> Array:
    u, v = (1500 * pixels.uv % 255).T
    return _lookup(texture.fine, u, v)


def _lookup(image: Array, x: Array, y: Array) -> Array:
    """Return the image at places given in pixels; OpenCV wants them as a picture."""
    short = -len(x) % 256
    across, down = (np.pad(a, (0, short)).reshape(-1, 256).astype(np.float32) for a in (x, y))
    found: Any = cv2.remap(image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values: Array = found.ravel()[: len(x)]
    return values


def _brows(pixels: Pixels, looks: Looks, fine: Array, tone: Array) -> Array:
    inner, outer = looks.brow_ends
    along = np.clip((pixels.aside - inner) / (outer - inner), -0.3, 1.3)
    thickness = looks.brow_thickness * (1.15 - 0.6 * np.clip(along, 0, 1))
    away = np.abs(pixels.y - brow_height(looks, pixels.aside)) / thickness
    cover = smoothstep(1.6, 0.4, away) * smoothstep(-0.08, 0.08, along)
    cover *= smoothstep(1.1, 0.85, along) * np.clip(0.85 + 0.2 * fine, 0.3, 1)
    cover *= 0.9 * pixels.made_of("skin") * (pixels.z > 0.8)
    hair = min(0.7 * looks.skin, 0.015 + 0.2 * looks.brow_tone**2 + 0.12 * looks.hair)
    return _over(tone, np.float32(hair), cover)


def _beard(pixels: Pixels, looks: Looks, fine: Array, lips: Array, tone: Array) -> Array:
    bare = pixels.made_of("skin") * (1 - lips)
    cheeks = smoothstep(6.78, 6.6, pixels.y - 0.35 * smoothstep(0.35, 0.65, pixels.aside))
    cheeks = cheeks * smoothstep(6.02, 6.14, pixels.y) * (pixels.z > 0.2)
    lip = np.exp(-(((pixels.y - 6.80 + 0.12 * pixels.aside) / 0.05) ** 2))
    lip = lip * (pixels.aside < 0.3) * (pixels.z > 1.2)
    cover = np.clip(np.maximum(cheeks, lip) * bare, 0, 1) * looks.beard * (0.8 + 0.25 * fine)
    cover = np.clip(cover, 0, 0.95)
    return _over(tone, np.float32(0.03 + 0.3 * looks.hair), cover)


def _hair(
    pixels: Pixels, looks: Looks, texture: Texture, fine: Array, coarse: Array
) -> tuple[Array, Array]:
    """Return where there is hair (0..1), and its tone."""
    strands = 0.75 + 0.2 * np.sin(70 * pixels.x + 25 * coarse + 6 * pixels.y) + 0.2 * fine
    tone = np.clip((0.02 + 0.45 * looks.hair) * strands, 0.01, 0.8)
    skin = pixels.made_of("skin")
    cover = smoothstep(0.35, 0.65, pixels.scalp + 0.08 * fine) * skin
    if looks.hair_style == "cropped":
        cover *= 0.8
    if looks.hair_style == "fringe":
        edge = 7.62 + 0.04 * np.sin(9 * pixels.x + texture.phases[1]) + 0.05 * pixels.aside
        fringe = smoothstep(-0.02, 0.03, pixels.y - edge - 0.02 * fine) * skin * (pixels.z > 0.5)
        cover = np.maximum(cover, fringe)
    return np.where(pixels.made_of("hair"), np.float32(1), cover), tone


def _eyes(pixels: Pixels, looks: Looks, gaze: tuple[float, float]) -> Array:
    x = pixels.aside - np.float32(IRIS[0]) - np.sign(pixels.x) * np.float32(0.06 * gaze[0])
    y = pixels.y - np.float32(IRIS[1] + 0.06 * gaze[1])
    radius = np.hypot(x, y) / np.float32(EYE_RADIUS)
    front = pixels.z > 1.2
    iris, pupil = smoothstep(0.52, 0.46, radius) * front, smoothstep(0.23, 0.17, radius) * front
    white = 0.78 * (1 - 0.25 * smoothstep(0.6, 1, radius))
    ring = 1 - 0.5 * smoothstep(0.4, 0.5, radius)
    tone = _over(white, looks.iris * (0.7 + radius) * ring, iris)
    return _over(tone, np.float32(0.01), pupil)
