"""Who is in the picture: a subject's own geometry, looks and way of showing expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from gcnet_caffe.rendering.actions import EXPRESSIONS, UNITS, draw_variant

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array

#: trait -> (mean, standard deviation) over subjects, in face units unless said otherwise; draws
#: stop at 2 deviations.
SHAPE = {
    "face_width": (2.10, 0.13),
    "jaw": (0.83, 0.05),  # width at mouth level, as a share of the face's
    "chin_width": (0.39, 0.06),  # the same, just above the chin
    "chin": (3.45, 0.20),
    "forehead": (2.30, 0.25),
    "eye_distance": (1.00, 0.06),
    "eye_width": (0.46, 0.045),
    "eye_upper": (0.19, 0.03),
    "eye_lower": (0.12, 0.025),
    "eye_tilt": (0.05, 0.05),
    "brow_height": (0.62, 0.08),
    "brow_arch": (0.16, 0.07),
    "brow_tilt": (0.02, 0.08),
    "brow_inner": (0.44, 0.07),
    "brow_outer": (1.60, 0.08),
    "brow_thickness": (0.15, 0.05),
    "nose_length": (1.30, 0.14),
    "nose_width": (0.46, 0.08),
    "nose_ridge": (0.55, 0.14),
    "nose_tip": (0.55, 0.12),
    "mouth": (2.22, 0.12),
    "mouth_width": (0.80, 0.07),
    "mouth_curve": (0.00, 0.05),
    "upper_lip": (0.16, 0.05),
    "lower_lip": (0.22, 0.06),
    "cheek": (0.30, 0.10),
    "brow_ridge": (0.22, 0.10),
    "eye_socket": (0.30, 0.08),
}
#: unit -> (chance that a subject's resting face shows it, strength at most): the resting face that
#: looks angry, sad, amused or astonished when nothing is felt.
RESTING = {
    1: (0.27, 0.28),
    2: (0.23, 0.28),
    4: (0.36, 0.36),
    5: (0.23, 0.24),
    7: (0.27, 0.32),
    9: (0.09, 0.16),
    10: (0.14, 0.20),
    12: (0.27, 0.24),
    14: (0.14, 0.24),
    15: (0.36, 0.40),
    17: (0.23, 0.28),
    23: (0.18, 0.32),
    24: (0.18, 0.32),
    25: (0.23, 0.24),
    43: (0.23, 0.20),
}


class Looks(TypedDict):
    """How a subject looks: tones in 0..1, styles by name."""

    skin: float
    hair: float
    hair_style: str  # a key of `hair.BACK_HAIR`
    hair_parting: float  # face units from the middle
    hair_sweep: float
    fringe: float  # 0..1, share of the forehead it hides
    hair_volume: float  # face units
    lips: float
    iris: float
    brows: float  # opacity, 0..1
    moustache: bool
    beard: bool
    stubble: float  # opacity, 0..1
    glasses: str  # "", "round" or "square"
    freckles: int  # how many
    wrinkles: float  # 0..1


@dataclass
class Subject:
    """One person: everything that stays the same from one sequence to the next."""

    name: str
    shape: dict[str, float]  # trait -> value, the keys of SHAPE
    looks: Looks
    resting: Array  # (2, units): strengths at rest, right and left side
    gains: Array  # (2, units): how strongly each unit answers, right and left side
    variants: dict[str, dict[int, float]]  # expression -> the favourite combination of units
    texture: int  # seed of skin and hair texture


def draw_subject(rng: np.random.Generator, name: str = "") -> Subject:
    """Draw a random subject.

    Parameters
    ----------
    rng : numpy Generator
        The same state gives the same subject.
    name : str
        Identifier of the subject.

    Returns
    -------
    Subject
    """
    return Subject(
        name=name,
        shape={trait: mean + sd * _normal(rng) for trait, (mean, sd) in SHAPE.items()},
        looks=_draw_looks(rng),
        resting=_draw_resting(rng),
        gains=np.exp(0.20 * _normal(rng, len(UNITS)) + 0.10 * _normal(rng, (2, len(UNITS)))),
        variants={name: draw_variant(rng, name) for name in EXPRESSIONS},
        texture=int(rng.integers(2**31)),
    )


def _normal(rng: np.random.Generator, size: int | tuple[int, ...] | None = None) -> Any:
    return np.clip(rng.normal(size=size), -2, 2)


def _draw_resting(rng: np.random.Generator) -> Array:
    resting = np.zeros((2, len(UNITS)))
    for unit, (chance, most) in RESTING.items():
        if rng.random() < chance:
            strength = most * rng.uniform(0.3, 1)
            resting[:, UNITS.index(unit)] = strength * rng.uniform(0.7, 1, size=2)
    return resting


def _draw_looks(rng: np.random.Generator) -> Looks:
    skin = rng.uniform(0.38, 0.86)
    man = rng.random() < 0.5
    return {
        "skin": skin,
        "hair": rng.choice([0.06, 0.10, 0.15, 0.25, 0.4, 0.65]) * rng.uniform(0.8, 1.2),
        "hair_style": rng.choice(["short", "receding", "bald"] if man else ["long", "bun", "bob"]),
        "hair_parting": rng.uniform(-0.9, 0.9),
        "hair_sweep": rng.uniform(0.4, 0.8),
        "fringe": 0.0 if man else rng.choice([0.0, 0.0, 0.5, 0.8]) * rng.uniform(0.6, 1),
        "hair_volume": rng.uniform(0.1, 0.5),
        "lips": skin * rng.uniform(0.62, 0.85),
        "iris": rng.uniform(0.1, 0.45),
        "brows": rng.uniform(0.35, 0.9),
        "moustache": man and rng.random() < 0.25,
        "beard": man and rng.random() < 0.25,
        "stubble": rng.uniform(0, 0.25) if man else 0.0,
        "glasses": rng.choice(["", "", "", "", "", "", "", "", "round", "square"]),
        "freckles": int(rng.integers(15, 60)) if rng.random() < 0.25 else 0,
        "wrinkles": rng.uniform(0, 1) ** 2,
    }
