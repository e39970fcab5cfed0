"""Who is in the picture: a head of one's own, skin, brows, hair, and a way to look at rest."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gcnet_caffe.rendering.heads.acting import Units, draw_rest, together
from gcnet_caffe.rendering.heads.model import head

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

#: Folder of shapes -> standard deviation of each pair of them, from one person to the next. More
#: than 0.25 looks grotesque.
_SPREAD = {
    "head": 0.15,
    "forehead": 0.15,
    "neck": 0.15,
    "nose": 0.2,
    "mouth": 0.2,
    "cheek": 0.2,
    "chin": 0.2,
    "ears": 0.2,
    "eyes": 0.2,
}
#: The two ends of a pair of shapes.
_ENDS = (
    ("-incr", "-decr"),
    ("-up", "-down"),
    ("-out", "-in"),
    ("-forward", "-backward"),
    ("-convex", "-concave"),
    ("-uncompress", "-compress"),
)
#: Pairs that move a feature as a whole or sideways, or that stand for age: not drawn here.
_NOT_DRAWN = ("trans-out", "head-age", "head-trans", "head-back", "mouth-angles", "neck-trans")
_OUTLINES = (
    "diamond",
    "invertedtriangular",
    "oval",
    "rectangular",
    "round",
    "square",
    "triangular",
)
_ORIGINS = ("african", "asian", "caucasian")
HAIR_STYLES = ("short", "cropped", "receding", "bald", "long", "bun", "fringe")


@dataclass(frozen=True)
class Looks:
    """Tones (0 black to 1 white), styles and strengths, 0..1 where nothing else is said."""

    skin: float
    lips: float  # factor on the skin's tone
    iris: float
    teeth: float
    hair: float
    hair_style: str
    hairline: float  # height in the middle, decimetres
    hair_volume: float  # decimetres
    hair_front: float  # degrees from straight ahead, from where on long hair hangs
    brow_tone: float
    brow_thickness: float  # decimetres
    brow_height: float  # decimetres above the usual place
    brow_arch: float
    brow_tilt: float
    brow_ends: tuple[float, float]  # decimetres from the middle
    lashes: float  # how light
    beard: float
    gloss: float
    blotches: float
    pores: float
    wrinkles: float
    eye_bags: float
    nose_sides: float  # how dark
    eye_sockets: float
    glasses: tuple[float, float, float] | None  # half width and height in decimetres, tone
    clothes: float
    texture: int  # seed of skin and hair texture


@dataclass(frozen=True)
class Subject:
    """One person: what stays the same from picture to picture."""

    name: str
    shape: NDArray[np.float32]  # (n, 3) vertices of the head at rest, without `rest`
    rest: Units
    looks: Looks
    energy: float  # factor on the person's expressions


def draw_subject(rng: Generator, name: str = "") -> Subject:
    """Draw a person from the generator `rng`."""
    origins = rng.dirichlet([0.8, 0.8, 1.2])
    man = float(np.clip(rng.beta(0.5, 0.5), 0, 1))
    age = float(rng.beta(1.2, 2.0))
    weights = together(_body(origins, man, age, rng), _features(rng))
    shape = head().base + head().moved(weights)
    eyes = head().vertices_of("eye")
    shape += head().base[eyes].mean(0) - shape[eyes].mean(0)
    rest = draw_rest(rng)
    wide = rng.uniform(0.2, 0.65)  # real eyes are wider open than the average head's
    rest = together(rest, {"eyeWideLeft": wide, "eyeWideRight": wide})
    return Subject(name, shape, rest, _looks(origins, man, age, rng), rng.uniform(0.8, 1.15))


def _body(origins: NDArray[np.float64], man: float, age: float, rng: Generator) -> dict[str, float]:
    """Mix the whole heads of origins, sexes and ages, and of muscle and weight."""
    # the shapes of men have eyes that are too high
    weights = {"head/head-scale-vert-decr": 0.35 * man}
    muscle = rng.choice(["min", "average", "max"], p=[0.25, 0.5, 0.25])
    weight = rng.choice(["min", "average", "max"], p=[0.25, 0.45, 0.3])
    for sex, of_sex in (("male", man), ("female", 1 - man)):
        for years, of_age in (("young", 1 - age), ("old", age)):
            for origin, share in zip(_ORIGINS, origins):
                weights[f"macrodetails/{origin}-{sex}-{years}"] = share * of_sex * of_age
            build = f"macrodetails/universal-{sex}-{years}-{muscle}muscle-{weight}weight"
            if build in head():
                weights[build] = 0.8 * of_sex * of_age
    return weights


def _features(rng: Generator) -> dict[str, float]:
    """Draw the shapes of nose, mouth, eyes and so on; the two sides are nearly alike."""
    weights: dict[str, float] = {}
    for more, less in _pairs():
        folder = more.split("/")[0]
        spread = 0.25 if "lip" in more else 0.1 if "trans" in more else _SPREAD[folder]
        amount = np.clip(rng.normal(0, spread), -0.8, 0.8)
        shape = more if amount > 0 else less
        weights[shape] = abs(amount)
        if "/l-" in shape:
            other = abs(amount) + rng.normal(0, 0.04)
            weights[shape.replace("/l-", "/r-")] = np.clip(other, 0, 1)
    corners = np.clip(rng.normal(0, 0.12), -0.35, 0.35)
    weights["mouth/mouth-angles-up" if corners > 0 else "mouth/mouth-angles-down"] = abs(corners)
    for smaller, most in (("nose/nose-scale-vert-decr", 0.5), ("nose/nose-scale-horiz-decr", 0.8)):
        weights[smaller] = weights.get(smaller, 0) + rng.uniform(0, most)
    for outline in rng.choice(_OUTLINES, 2, replace=False):
        weights[f"head/head-{outline}"] = rng.uniform(0, 0.3)
    for shape in head().names:
        if shape.startswith("asym/") and rng.random() < 0.25:
            weights[shape] = rng.uniform(0, 0.4)
    return weights


@functools.cache
def _pairs() -> list[tuple[str, str]]:
    found = []
    for shape in head().names:
        for more, less in _ENDS:
            other = shape[: -len(more)] + less
            drawn = shape.split("/")[0] in _SPREAD and "/r-" not in shape
            if shape.endswith(more) and other in head() and drawn:
                if not any(word in shape for word in _NOT_DRAWN):
                    found.append((shape, other))
    return found


def _looks(origins: NDArray[np.float64], man: float, age: float, rng: Generator) -> Looks:
    male = man > 0.5
    dark = np.clip(origins[0] + 0.15 * origins[1] + rng.normal(0, 0.12), 0, 1)
    skin = float(np.clip(0.72 - 0.48 * dark + rng.normal(0, 0.03), 0.15, 0.8))
    grey = age > 0.6 and rng.random() < 0.6
    hair = rng.uniform(0.5, 0.9) if grey else rng.uniform(0.02, 0.75) ** (1.3 + dark)
    odds = [5, 4, 2 + 3 * age, 1 + 3 * age, 1, 0.5, 1] if male else [2, 1, 0.1, 0.1, 6, 4, 3]
    style = rng.choice(HAIR_STYLES, p=np.array(odds) / sum(odds))
    bearded = male and rng.random() < 0.35
    return Looks(
        skin=skin,
        lips=rng.uniform(0.5, 0.92) if not male else rng.uniform(0.65, 0.95),
        iris=rng.uniform(0.03, 0.12 + 0.5 * (1 - dark) * rng.random()),
        teeth=rng.uniform(0.75, 1.0),
        hair=hair,
        hair_style=str(style),
        hairline=rng.uniform(7.75, 8.05),
        hair_volume=rng.uniform(0.04, 0.28),
        hair_front=float(rng.choice([85, 58, 41], p=[0.45, 0.35, 0.2])),
        brow_tone=rng.uniform(0.1, 0.5),
        brow_thickness=rng.uniform(0.012, 0.03),
        brow_height=rng.normal(0.0, 0.022),
        brow_arch=rng.uniform(0.0, 0.07),
        brow_tilt=rng.normal(-0.014, 0.018),
        brow_ends=(rng.uniform(0.1, 0.17), rng.uniform(0.47, 0.6)),
        lashes=rng.uniform(0.05, 0.5) if not male else rng.uniform(0.2, 0.7),
        beard=rng.uniform(0.15, 0.85) if bearded else rng.uniform(0, 0.35) * male,
        gloss=rng.uniform(0.02, 0.22),
        blotches=rng.uniform(0, 0.08),
        pores=rng.uniform(0, 0.05),
        wrinkles=float(np.clip(0.15 + 0.8 * age + rng.normal(0, 0.15), 0.02, 1.1)),
        eye_bags=rng.uniform(0, 0.25) * (0.4 + age),
        nose_sides=rng.uniform(0.12, 0.48),
        eye_sockets=rng.uniform(0.05, 0.3),
        glasses=_glasses(rng),
        clothes=rng.uniform(0.03, 0.9),
        texture=int(rng.integers(1 << 31)),
    )


def _glasses(rng: Generator) -> tuple[float, float, float] | None:
    if rng.random() >= 0.12:
        return None
    return rng.uniform(0.17, 0.23), rng.uniform(0.14, 0.2), rng.uniform(0.02, 0.3)


@dataclass(frozen=True)
class Texture:
    """Fine and coarse irregularities of one person's skin and hair."""

    fine: NDArray[np.float32]  # (256, 256), standard deviation 1
    waves: NDArray[np.float32]  # (10, 3) wave vectors over the head
    phases: NDArray[np.float32]  # (10,)


def texture_of(looks: Looks) -> Texture:
    """Return the texture of a person: always the same."""
    rng = np.random.default_rng(looks.texture)
    noise = rng.normal(0, 1, (256, 256)).astype(np.float32)
    fine = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.6, 1.6))
    return Texture(
        fine / fine.std(),
        (rng.normal(0, 1, (10, 3)) * rng.choice([2, 4, 8], (10, 1))).astype(np.float32),
        rng.uniform(0, 6.28, 10).astype(np.float32),
    )
