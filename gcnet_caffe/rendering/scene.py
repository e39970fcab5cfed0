"""One picture: a subject under actions, pose, light and camera."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gcnet_caffe.rendering import features, hair, relief
from gcnet_caffe.rendering.actions import UNITS
from gcnet_caffe.rendering.canvas import Canvas, noise, to_pixels
from gcnet_caffe.rendering.creases import crease_layer
from gcnet_caffe.rendering.geometry import face_points, neutral_points
from gcnet_caffe.rendering.subject import Subject

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from gcnet_caffe.rendering._types import Array, Grey, Map, Show


@dataclass
class Pose:
    """Where the head is: angles in radians, shifts in face units, scale 1 = usual size."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass
class Setting:
    """Light and camera."""

    light: Array  # unit vector towards the light
    ambient: float  # share of undirected light, 0..1
    exposure: float  # factor on the brightness
    gamma: float  # exponent of the tone curve
    background: float  # tone, 0..1
    slope: tuple[float, float]  # change of the background's tone across the picture (x, y)
    clothes: float  # tone
    blur: float  # standard deviation, pixels of a 240-pixel picture
    noise: float  # standard deviation, 0..1


def render(
    subject: Subject,
    right: Array,
    left: Array,
    pose: Pose,
    setting: Setting,
    size: tuple[int, int],
    rng: np.random.Generator,
    gaze: ArrayLike = (0.0, 0.0),
) -> tuple[Grey, Array]:
    """Render one grey picture.

    Parameters
    ----------
    subject : Subject
    right, left : (len(UNITS),) arrays
        Strengths of the action units on either side, 0 for neutral.
    pose : Pose
    setting : Setting
    size : (width, height)
        Of the picture in pixels.
    rng : numpy Generator
        Draws the camera's noise.
    gaze : (x, y)
        Shift of the irises, face units.

    Returns
    -------
    image : (height, width) uint8 array
    landmarks : (68, 2) float array
        Pixels (x, y) of the picture; pixel centres are whole numbers.
    """
    points, shown = face_points(subject, right, left)

    def show(unit: int) -> Array:
        return shown[:, UNITS.index(unit)]

    canvas = _paint(subject, points, show, setting.clothes, gaze)
    depth = relief.depth_map(subject.shape, points, show)
    canvas.tones *= relief.shading(depth, setting.light, setting.ambient)
    camera = Camera(pose, size)
    heights = relief.sample(depth, points)
    camera.keep_inside(camera.project(points, heights))
    face, cover = camera.look(canvas, depth)
    return _expose(face, cover, setting, size, rng), camera.project(points, heights)


def _paint(
    subject: Subject,
    points: Array,
    show: Show,
    clothes: float,
    gaze: ArrayLike,
) -> Canvas:
    """The head in frontal view, as reflectance."""
    canvas, looks, shape = Canvas(), subject.looks, subject.shape
    strands, complexion = _textures(subject.texture, looks["freckles"], canvas.tones.shape)
    hair_tone, skin = looks["hair"] * strands, looks["skin"] * complexion
    hair.paint_back_hair(canvas, shape, looks, 0.75 * hair_tone)
    hair.paint_body(canvas, shape, looks["skin"], clothes)
    hair.paint_ears(canvas, shape, looks["skin"])
    hair.paint_skin(canvas, shape, points[:17], skin)
    hair.paint_facial_hair(canvas, points, looks, hair_tone)
    rest = neutral_points(shape)
    sockets = rest[36:42].mean(axis=0), rest[42:48].mean(axis=0)
    features.paint_nose(canvas, points, looks["skin"])
    features.paint_mouth(canvas, points, looks, teeth_edge=rest[62, 1] + 0.10)
    features.paint_eyes(canvas, points, looks, sockets, np.array(gaze))
    canvas.tones *= 1 - crease_layer(points, show, looks["wrinkles"], canvas.tones.shape)
    brow_tone = np.minimum(hair_tone, 0.55 * looks["skin"])
    features.paint_brows(canvas, points, brow_tone, looks["brows"], shape["brow_thickness"])
    hair.paint_front_hair(canvas, shape, looks, hair_tone)
    hair.paint_glasses(canvas, looks["glasses"])
    return canvas


@functools.lru_cache(maxsize=2)
def _textures(seed: int, freckles: int, size: tuple[int, ...]) -> tuple[Map, Map]:
    """Factors on the tones of one subject's hair and skin, (H, W) each."""
    rng = np.random.default_rng(seed)
    strands = 1 + 0.25 * noise(rng, (9, 110), size) + 0.25 * noise(rng, (5, 14), size)
    complexion = 1 + 0.07 * noise(rng, (16, 14), size)
    spots = np.zeros(size, np.uint8)
    for x, y in to_pixels(rng.normal((0, 1.0), (0.9, 0.35), (freckles, 2))):
        cv2.circle(spots, (round(x), round(y)), 1, 255, -1, cv2.LINE_AA)
    complexion *= 1 - 0.25 * cv2.GaussianBlur(spots, (0, 0), 0.6).astype(np.float32) / 255
    return strands, complexion


class Camera:
    """Weak perspective: turns the surface about the head's middle, then scales and shifts it."""

    def __init__(self, pose: Pose, size: tuple[int, int]) -> None:
        self.size, self.pose = size, pose
        scale = pose.scale * min(size) / 9.0
        c, s = np.cos(pose.roll), np.sin(pose.roll)
        self.linear = scale * np.array([(c, -s), (s, c)])
        self.offset = np.array(size) / 2 - 0.5 + self.linear @ (np.array(pose.shift) + (0, -0.4))

    def project(self, points: Array, depth: Array) -> Array:
        """Return the pixels (N, 2) of points of the face.

        Parameters
        ----------
        points : (N, 2) array
            In face units.
        depth : (N,) array
            Of the points, in face units.
        """
        pose, (x, y) = self.pose, points.T
        turned_x = x * np.cos(pose.yaw) + depth * np.sin(pose.yaw)
        behind = depth * np.cos(pose.yaw) - x * np.sin(pose.yaw)
        turned_y = y * np.cos(pose.pitch) + behind * np.sin(pose.pitch)
        return np.stack([turned_x, turned_y], axis=1) @ self.linear.T + self.offset

    def keep_inside(self, pixels: Array, margin: float = 3) -> None:
        """Shift the picture until all given pixels are inside it.

        Parameters
        ----------
        pixels : (N, 2) array
        margin : float
            Their least distance from the border, in pixels.
        """
        room = np.array(self.size) - 1 - margin - pixels.max(axis=0)
        self.offset += np.minimum(room, 0) + np.maximum(margin - pixels.min(axis=0), 0)

    def look(self, canvas: Canvas, depth: Map) -> tuple[Map, Map]:
        """Return the tones and the cover as the camera sees them.

        Parameters
        ----------
        canvas : Canvas
        depth : (H, W) array
            From `relief.depth_map`.

        Returns
        -------
        tones, cover : (height, width) float32 arrays
            0..1.
        """
        x, y = self._surface(depth)
        width, height = self.size
        pixels = to_pixels(np.stack([x, y], axis=-1)).astype(np.float32)
        map_x, map_y = (
            cv2.resize(pixels[..., axis], (width, height), interpolation=cv2.INTER_LINEAR)
            for axis in (0, 1)
        )
        border = cv2.BORDER_REPLICATE
        tones = cv2.remap(canvas.tones, map_x, map_y, cv2.INTER_LINEAR, borderMode=border)
        # The outermost pixel of an outline is mixed with the empty canvas.
        inner = cv2.erode(canvas.cover, np.ones((3, 3), np.uint8))
        cover = cv2.remap(inner, map_x, map_y, cv2.INTER_LINEAR)
        return np.asarray(tones, np.float32), cover.astype(np.float32) / np.float32(255)

    def _surface(self, depth: Map) -> tuple[Map | Array, Map | Array]:
        """Face coordinates seen at every second pixel: the inverse of `project`, by iteration."""
        width, height = (-(-side // 2) for side in self.size)
        column = (np.arange(width) + 0.5) * self.size[0] / width - 0.5
        row = (np.arange(height) + 0.5) * self.size[1] / height - 0.5
        grid = np.stack(np.meshgrid(column, row), axis=-1)
        turned = (grid - self.offset) @ np.linalg.inv(self.linear).T
        pose, x, y = self.pose, turned[..., 0], turned[..., 1]
        turned_x, turned_y = x, y
        for _ in range(6):
            z = relief.lookup(depth, x, y)
            x = (turned_x - z * np.sin(pose.yaw)) / np.cos(pose.yaw)
            behind = z * np.cos(pose.yaw) - x * np.sin(pose.yaw)
            y = (turned_y - behind * np.sin(pose.pitch)) / np.cos(pose.pitch)
        return x, y


def _expose(
    face: Map,
    cover: Map,
    setting: Setting,
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Grey:
    width, height = size
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    ground = setting.background + setting.slope[0] * x + setting.slope[1] * y
    picture = ground + cover * (face - ground)
    picture = 1 - np.exp(-2.0 * setting.exposure * np.maximum(picture, 0))  # as film saturates
    picture = picture**setting.gamma
    sigma = setting.blur * min(width, height) / 240
    if sigma > 0.2:
        picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma)
    picture = picture + setting.noise * rng.standard_normal(picture.shape, dtype=np.float32)
    exposed: Grey = np.clip(np.round(255 * picture), 0, 255).astype(np.uint8)
    return exposed
