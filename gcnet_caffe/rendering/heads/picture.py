"""One picture of one person: pose, light and camera, and where the landmarks are in it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gcnet_caffe.rendering.heads.acting import Units
from gcnet_caffe.rendering.heads.landmarks import landmark_vertices, lips
from gcnet_caffe.rendering.heads.model import MATERIALS, head
from gcnet_caffe.rendering.heads.raster import daylight, rasterise, reached
from gcnet_caffe.rendering.heads.skin import Pixels, Surface, paint, smoothstep
from gcnet_caffe.rendering.heads.subject import Looks, Subject, Texture, texture_of

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

#: What the head turns about, decimetres.
_PIVOT = np.array([0, 6.9, 0.4], np.float32)
#: Directions from which light comes from around.
_SKY = 18


@dataclass(frozen=True)
class Pose:
    """Angles in radians; gaze as `skin.paint` has it."""

    yaw: float
    pitch: float
    roll: float
    gaze: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Scene:
    """Light, background and camera of one recording."""

    eye_distance: float  # of a frontal face, as a share of the picture's smaller side
    place: tuple[float, float]  # shift of the face, as shares of that side
    distance: float  # decimetres to the camera
    sky: NDArray[np.float32]  # (_SKY,) light from around
    lamps: tuple[tuple[tuple[float, float, float], float], ...]  # direction, strength
    softness: float  # blur of the lamps' shadows, pixels of a 240-pixel picture
    background: tuple[float, float, float]  # tone, its change across and down
    clutter: NDArray[np.float32] | None  # small picture that is added to the background
    exposure: float
    gamma: float
    noise: float  # standard deviation, of 255
    blur: float  # pixels of a 240-pixel picture
    quality: int  # of the JPEG compression, 100 for none


def draw_pose(rng: Generator, spread: float = 1.0) -> Pose:
    """Draw a roughly frontal pose; `spread` scales the usual deviations."""
    yaw, pitch, roll = spread * np.clip(rng.normal(size=3), -2.2, 2.2) * (0.11, 0.08, 0.05)
    return Pose(yaw, pitch, roll, (rng.normal(0, 0.12), rng.normal(0, 0.08)))


def draw_scene(rng: Generator) -> Scene:
    """Draw light, background and camera."""
    directions = _sky_directions()
    sky = np.abs(rng.normal(0.6, 0.25, _SKY)) + 0.3 * directions[:, 1]
    sky += 0.5 * np.clip(directions @ rng.normal(0, 0.6, 3), -0.6, 2)
    key = ((rng.normal(0, 0.6), rng.normal(0.45, 0.4), 1.0), float(rng.beta(1.0, 1.8)))
    fill = ((rng.normal(0, 1.2), rng.normal(0.2, 0.5), 0.7), 0.4 * rng.random())
    grain = rng.integers(3, 14, 2)
    clutter = rng.normal(0, 0.25, grain).astype(np.float32) if rng.random() < 0.4 else None
    return Scene(
        eye_distance=rng.uniform(50, 62) / 240,
        place=(rng.normal(0, 0.015), rng.normal(0, 0.015)),
        distance=rng.uniform(9, 25),
        sky=np.maximum(sky, 0).astype(np.float32),
        lamps=(key, fill) if rng.random() < 0.5 else (key,),
        softness=rng.uniform(0.8, 4.0),
        background=(rng.uniform(0.02, 0.95), rng.normal(0, 0.25), rng.normal(0, 0.25)),
        clutter=clutter,
        exposure=rng.uniform(0.85, 1.25),
        gamma=rng.uniform(1.7, 2.4),
        noise=rng.uniform(0, 4),
        blur=rng.uniform(0, 1.0),
        quality=int(rng.integers(55, 101)),
    )


def render(
    subject: Subject,
    units: Units,
    pose: Pose,
    scene: Scene,
    size: tuple[int, int],
    rng: Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Render one grey picture.

    Parameters
    ----------
    subject : Subject
    units : dict
        Everything that the face does, the person's resting face included.
    pose : Pose
    scene : Scene
    size : (width, height)
        Pixels.
    rng : numpy Generator
        For the camera's noise.

    Returns
    -------
    image : (height, width) uint8 array
    landmarks : (68, 2) array
        iBUG's 68 points, in pixels; pixel centres are at whole numbers.
    """
    looks, texture = subject.looks, texture_of(subject.looks)
    vertices = subject.shape + head().moved({f"unit/{unit}": x for unit, x in units.items()})
    scalp = _scalp(looks)
    vertices = _with_hair(vertices, scalp, looks, texture)
    vertices = _with_teeth(vertices)
    turn = _rotation(pose)
    normals = _normals(vertices) @ turn.T
    curtain = head().vertices_of("hair")
    normals[curtain] *= np.where(normals[curtain, 2:] < 0, -1, 1)
    turned = ((vertices - _PIVOT) @ turn.T).astype(np.float32)
    camera = _Camera(subject, scene, turned, size)
    shown = _shown(looks)
    triangles, materials = head().triangles[shown], head().materials[shown]
    solid = np.isin(materials, [MATERIALS.index("skin"), MATERIALS.index("hair")])
    blockers = head().vertex[triangles[solid]].astype(np.int32)
    flat = camera.project(turned)[head().vertex]
    # skin that is seen from behind is inside: it comes through where skin is pressed together
    outside = (materials != MATERIALS.index("skin")) | _turned_to_us(flat[triangles])
    triangles, materials = triangles[outside], materials[outside]
    seen = rasterise(flat, triangles, size[1], size[0])
    hit = seen.triangle >= 0
    corners = head().vertex[triangles[seen.triangle[hit]]]
    weights = seen.weights[hit]

    def at(values: Array) -> Array:
        found: Array = np.einsum("pc,pc...->p...", weights, values[corners])
        return found

    uv = np.einsum("pc,pck->pk", weights, head().uv[triangles[seen.triangle[hit]]])
    normal = _unit(at(normals))
    material = materials[seen.triangle[hit]]
    pixels = Pixels(at(head().base), normal, uv, at(scalp), material)
    surface = paint(pixels, looks, texture, units, pose.gaze)
    parted = _parted(vertices)
    lights = np.concatenate([_sky_directions(), scene.sky[:, None]], 1)
    ambient = at(daylight(turned, normals, blockers, lights)) / (0.275 * _SKY)
    tone = _lit(pixels, surface, ambient, at(turned), turned, blockers, scene, looks, hit, parted)
    image = _background(scene, size)
    image[hit] = tone
    if looks.glasses:
        _draw_glasses(image, turned, camera, looks.glasses)
    middle = float(np.median(tone[pixels.made_of("skin")]))
    landmarks = camera.project(turned[landmark_vertices(subject.looks)])[:, :2].astype(np.float64)
    return _expose(image, middle, scene, rng), landmarks


@functools.cache
def _sky_directions() -> Array:
    """(_SKY, 3) unit vectors, evenly spread over the half before the face and a little behind."""
    number = np.arange(_SKY)
    z = 1 - (number + 0.5) / _SKY * 1.15
    angle, radius = number * 2.39996, np.sqrt(np.maximum(0, 1 - z * z))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1).astype(np.float32)


def _rotation(pose: Pose) -> Array:
    (cy, sy), (cp, sp), (cr, sr) = (
        (np.cos(angle), np.sin(angle)) for angle in (pose.yaw, pose.pitch, pose.roll)
    )
    roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    return np.asarray(roll @ pitch @ yaw, np.float32)


def _normals(vertices: Array) -> Array:
    """(n, 3) unit normals: the mean of a vertex's triangles, larger ones counting more."""
    faces = head().faces
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    of_faces = np.cross(b - a, c - a)
    total = np.stack(
        [
            np.bincount(faces.ravel(), np.repeat(of_faces[:, axis], 3), len(vertices))
            for axis in range(3)
        ],
        1,
    )
    return _unit(total.astype(np.float32))


def _unit(vectors: Array) -> Array:
    long = np.linalg.norm(vectors, axis=1, keepdims=True) + np.float32(1e-9)
    return np.asarray(vectors / long, np.float32)


def _scalp(looks: Looks) -> Array:
    """(n,) 0 where a vertex is bare, 1 where it has hair."""
    x, y, z = head().base.T
    bare = np.ones(len(x), bool)
    bare[head().vertices_of("skin")] = False
    if looks.hair_style == "bald":
        return np.zeros(len(x), np.float32)
    aside = np.abs(x)
    line = looks.hairline - 0.9 * smoothstep(0.45, 0.85, aside)
    if looks.hair_style == "receding":
        line = (
            line
            + 0.35 * smoothstep(0.62, 0.1, aside)
            + 0.3 * smoothstep(0.1, 0.35, aside) * (aside < 0.5)
        )
    top = smoothstep(-0.02, 0.15, y - line)
    back = smoothstep(0.6, 0.3, z) * smoothstep(6.6, 6.9, y)
    ear = (aside > 0.68) & (y < 7.35) & (y > 6.75) & (z > -0.1)
    return np.where(bare | ear, 0, np.maximum(top, back)).astype(np.float32)


def _with_hair(vertices: Array, scalp: Array, looks: Looks, texture: Texture) -> Array:
    volume = looks.hair_volume * (0.15 if looks.hair_style == "cropped" else 1.0)
    x = head().base[:, 0]
    waves = 1 + 0.4 * np.sin(2 * texture.waves[0, 0] * x + texture.phases[0])
    return np.asarray(vertices + _normals(vertices) * (scalp * volume * waves)[:, None], np.float32)


def _with_teeth(vertices: Array) -> Array:
    """Move the upper row a little out, and make it higher, if the lips part: it hides otherwise."""
    upper, share = _upper_teeth(), _parted(vertices)
    moved = vertices.copy()
    moved[upper, 2] += 0.035 * share
    height = moved[upper, 1]
    moved[upper, 1] += share * (0.25 * (height - height.mean()) - 0.03)
    return moved


def _parted(vertices: Array) -> np.float32:
    """0 where the lips touch, 1 where they are well apart."""
    above, below = vertices[list(lips()), 1]
    return np.float32(np.clip((above - below - 0.01) / 0.05, 0, 1))


@functools.cache
def _upper_teeth() -> NDArray[np.int64]:
    faces = head().faces[head().materials == MATERIALS.index("teeth")]
    return np.unique(faces[: len(faces) // 2])


def _shown(looks: Looks) -> NDArray[np.bool_]:
    """(t,) which triangles are there: of the long hair, what hangs far enough aside."""
    hair = head().materials == MATERIALS.index("hair")
    x, y, z = head().base[head().faces].mean(1).T
    shown: NDArray[np.bool_] = ~hair
    aside = np.degrees(np.arctan2(np.abs(x), z - 0.45)) > looks.hair_front
    below = (np.abs(x) > 0.8) | (z < 0.4) | (looks.hair_front < 80)
    if looks.hair_style == "long":
        shown |= hair & np.where(y > 6.06, aside, below)
    return shown


def _turned_to_us(corners: Array) -> NDArray[np.bool_]:
    """(t,) of triangles as pixels, (t, 3, 3)."""
    (ax, ay), (bx, by) = ((corners[:, i] - corners[:, 0])[:, :2].T for i in (1, 2))
    there: NDArray[np.bool_] = ax * by < ay * bx
    return there


class _Camera:
    """A pinhole before the face."""

    def __init__(
        self, subject: Subject, scene: Scene, turned: Array, size: tuple[int, int]
    ) -> None:
        left, right = _eyes()
        wide = np.linalg.norm(subject.shape[left].mean(0) - subject.shape[right].mean(0))
        side = min(size)
        self.distance = np.float32(scene.distance)
        self.focus = np.float32(scene.eye_distance * side / wide * scene.distance)
        eyes = (turned[left].mean(0) + turned[right].mean(0)) / 2
        self._aim = (eyes + turned[head().vertices_of("teeth")].mean(0)) / 2
        self._middle = (
            np.float32(size[0] / 2 + scene.place[0] * side),
            np.float32(size[1] * 0.54 + scene.place[1] * side),
        )

    def project(self, points: Array) -> Array:
        """(n, 3): pixels x and y, and the depth as it was."""
        scale = self.focus / (self.distance - points[:, 2])
        x = self._middle[0] + (points[:, 0] - self._aim[0]) * scale
        y = self._middle[1] - (points[:, 1] - self._aim[1]) * scale
        return np.stack([x, y, points[:, 2]], 1).astype(np.float32)


@functools.cache
def _eyes() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Vertices of the subject's left and right eye."""
    eyes = head().vertices_of("eye")
    left = head().base[eyes, 0] > 0
    return eyes[left], eyes[~left]


def _lit(
    pixels: Pixels,
    surface: Surface,
    ambient: Array,
    places: Array,
    turned: Array,
    blockers: NDArray[np.int32],
    scene: Scene,
    looks: Looks,
    hit: NDArray[np.bool_],
    parted: np.float32,
) -> Array:
    """Return the light that each pixel sends to the camera."""
    skin, eye = pixels.made_of("skin"), pixels.made_of("eye")
    light = ambient * np.float32(1 - 0.6 * max(strength for _, strength in scene.lamps))
    shine = np.zeros_like(light)
    for direction, strength in scene.lamps:
        toward = np.array(direction, np.float32)
        toward /= np.linalg.norm(toward)
        lit = np.ones(hit.shape, np.float32)
        if strength > 0.1:
            lit[hit] = reached(places, turned, blockers, toward, 200, 0.05)
            sigma = scene.softness * min(hit.shape) / 240
            lit[:] = cv2.GaussianBlur(lit, (0, 0), sigma)
        light += np.float32(1.3 * strength) * np.maximum(pixels.normal @ toward, 0) * lit[hit]
        half = toward + np.array([0, 0, 1], np.float32)
        mirrored = np.maximum(pixels.normal @ (half / np.linalg.norm(half)), 0)
        gloss = looks.gloss * (mirrored**12 + 0.5 * surface.lips * mirrored**30)
        gloss = np.where(eye, 0.7 * mirrored**120, np.where(skin, gloss, 0.06 * mirrored**8))
        shine += gloss * np.where(surface.hair > 0.5, 0.3, 1) * (0.3 + strength) * lit[hit]
    usual = np.float32(np.median(light[skin])) if skin.any() else np.float32(1)
    teeth = 0.4 * light + 0.7 * parted * usual * smoothstep(0.34, 0.12, pixels.aside)
    teeth = np.clip(teeth, 0, usual + np.float32(0.1))
    light = np.where(pixels.made_of("teeth"), teeth, light)
    dark = pixels.made_of("tongue") | (skin & (surface.inside > 0.5))
    light = np.where(dark, 0.5 * light, light)
    light = np.where(eye, 0.8 * light * smoothstep(7.40, 7.31, pixels.y) + 0.12, light)
    return (surface.tone * light + shine).astype(np.float32)


def _background(scene: Scene, size: tuple[int, int]) -> Array:
    width, height = size
    tone, across, down = scene.background
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    ground = np.float32(tone) + np.float32(across) * x + np.float32(down) * y
    if scene.clutter is not None:
        ground = ground + cv2.resize(scene.clutter, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(ground, 0.01, 1).astype(np.float32)


def _draw_glasses(
    image: Array, turned: Array, camera: _Camera, glasses: tuple[float, float, float]
) -> None:
    """Draw the frame over the picture: two rims, two temples and a bridge."""
    wide, high, tone = glasses
    left, right = (turned[eye].mean(0) for eye in _eyes())
    angle = np.linspace(0, 2 * np.pi, 40)
    round_x = wide * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.8
    round_y = high * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.8 - 0.02
    lines = [(np.stack([left + (-wide, 0.02, 0.28), right + (wide, 0.02, 0.28)]), False)]
    for eye, side in ((left, 1), (right, -1)):
        rim = eye + np.stack([round_x, round_y, np.full(40, 0.28)], 1)
        temple = np.stack([eye + (side * wide, 0.05, 0.26), eye + (side * 0.44, 0.05, -0.4)])
        lines += [(rim, True), (temple, False)]
    layer = np.zeros_like(image)
    thickness = max(1, round(2 * min(image.shape) / 240))
    for points, closed in lines:
        drawn = np.round(camera.project(points.astype(np.float32))[:, :2] * 8).astype(np.int32)
        cv2.polylines(layer, [drawn], closed, 1.0, thickness, cv2.LINE_AA, 3)
    image *= 1 - layer
    image += 0.5 * tone * layer


def _expose(image: Array, middle: float, scene: Scene, rng: Generator) -> NDArray[np.uint8]:
    """Return the picture as a camera writes it; skin of the tone `middle` becomes a usual grey."""
    picture = np.clip(image / middle * np.float32(0.32 * scene.exposure), 0, 1)
    picture = picture ** np.float32(1 / scene.gamma)
    sigma = scene.blur * min(image.shape) / 240
    if sigma > 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    noise = rng.standard_normal(image.shape, np.float32) * np.float32(scene.noise)
    grey = np.clip(np.round(255 * picture + noise), 0, 255).astype(np.uint8)
    if scene.quality < 100:
        _, data = cv2.imencode(".jpg", grey, (cv2.IMWRITE_JPEG_QUALITY, scene.quality))
        grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return np.asarray(grey, np.uint8)


def turned_by(pose: Pose, drift: Pose, share: float) -> Pose:
    """Return the pose, and as much of the drift as belongs to this share of the course."""
    return replace(
        pose,
        yaw=pose.yaw + share * drift.yaw,
        pitch=pose.pitch + share * drift.pitch,
        roll=pose.roll + share * drift.roll,
    )
