"""Who is in the picture: a subject's own geometry, looks and way of showing expressions."""

from dataclasses import dataclass

import numpy as np

from gcnet_caffe.data.synthetic.actions import EXPRESSIONS, UNITS
from gcnet_caffe.data.synthetic.points import (
    LEFT_BROW,
    MIRROR,
    NOSE_BRIDGE,
    NOSTRILS,
    RIGHT_BROW,
    RIGHT_EYE,
    curve,
    resample,
)

#: trait -> (mean, standard deviation) over subjects, in face units; draws stop at 2 deviations.
SHAPE = {
    "face_width": (2.10, 0.13),
    "jaw_width": (1.72, 0.16),
    "chin_width": (0.80, 0.15),
    "chin": (3.45, 0.20),
    "forehead": (2.30, 0.25),
    "eye_distance": (1.00, 0.06),
    "eye_width": (0.46, 0.045),
    "eye_upper": (0.19, 0.035),
    "eye_lower": (0.12, 0.025),
    "eye_tilt": (0.05, 0.06),
    "brow_height": (0.62, 0.11),
    "brow_arch": (0.16, 0.09),
    "brow_tilt": (0.02, 0.13),
    "brow_inner": (0.44, 0.08),
    "brow_outer": (1.60, 0.08),
    "brow_thickness": (0.15, 0.05),
    "nose_length": (1.30, 0.14),
    "nose_width": (0.46, 0.08),
    "nose_ridge": (0.55, 0.14),
    "nose_tip": (0.55, 0.12),
    "mouth": (2.22, 0.12),
    "mouth_width": (0.80, 0.09),
    "mouth_curve": (0.00, 0.07),
    "upper_lip": (0.16, 0.05),
    "lower_lip": (0.22, 0.06),
    "cheek": (0.30, 0.10),
    "brow_ridge": (0.22, 0.10),
    "eye_socket": (0.30, 0.08),
}
#: unit -> (chance that a subject's resting face shows it, strength at most): the resting face that
#: looks angry, sad, amused or astonished when nothing is felt.
RESTING = {
    1: (0.30, 0.45),
    2: (0.25, 0.45),
    4: (0.40, 0.60),
    5: (0.25, 0.40),
    7: (0.30, 0.50),
    9: (0.10, 0.25),
    10: (0.15, 0.35),
    12: (0.30, 0.40),
    14: (0.15, 0.40),
    15: (0.40, 0.70),
    17: (0.25, 0.45),
    23: (0.20, 0.50),
    24: (0.20, 0.50),
    25: (0.25, 0.40),
    43: (0.25, 0.35),
}


@dataclass
class Subject:
    """One person: everything that stays the same from one sequence to the next."""

    name: str
    shape: dict  # trait -> value, the keys of SHAPE
    looks: dict  # tones in 0..1, styles by name, wrinkles
    resting: np.ndarray  # (2, units): strengths at rest, right and left side
    gains: np.ndarray  # (2, units): how strongly each unit answers, right and left side
    variants: dict  # expression -> the subject's favourite combination of units
    texture: int  # seed of skin and hair texture


def draw_subject(rng, name=""):
    """A random subject, drawn from the numpy Generator `rng`."""
    return Subject(
        name=name,
        shape={trait: mean + sd * _normal(rng) for trait, (mean, sd) in SHAPE.items()},
        looks=_draw_looks(rng),
        resting=_draw_resting(rng),
        gains=np.exp(0.30 * _normal(rng, len(UNITS)) + 0.12 * _normal(rng, (2, len(UNITS)))),
        variants={name: rng.choice(options) for name, options in EXPRESSIONS.items()},
        texture=int(rng.integers(2**31)),
    )


def _normal(rng, size=None):
    return np.clip(rng.normal(size=size), -2, 2)


def _draw_resting(rng):
    resting = np.zeros((2, len(UNITS)))
    for unit, (chance, most) in RESTING.items():
        if rng.random() < chance:
            strength = most * rng.uniform(0.3, 1)
            resting[:, UNITS.index(unit)] = strength * rng.uniform(0.7, 1, size=2)
    return resting


def _draw_looks(rng):
    skin = rng.uniform(0.38, 0.86)
    man = rng.random() < 0.5
    return {
        "skin": skin,
        "hair": rng.choice([0.08, 0.15, 0.25, 0.4, 0.6, 0.75]) * rng.uniform(0.8, 1.2),
        "hair_style": rng.choice(["short", "receding", "bald"] if man else ["long", "bun", "bob"]),
        "hair_parting": rng.uniform(-0.8, 0.8),
        "fringe": 0.0 if man else rng.choice([0.0, 0.0, 0.5, 0.8]) * rng.uniform(0.6, 1),
        "hair_volume": rng.uniform(0.1, 0.5),
        "lips": skin * rng.uniform(0.62, 0.85),
        "iris": rng.uniform(0.1, 0.45),
        "brows": rng.uniform(0.35, 0.9),
        "moustache": man and rng.random() < 0.25,
        "beard": man and rng.random() < 0.25,
        "stubble": rng.uniform(0, 0.25) if man else 0.0,
        "glasses": rng.choice(["", "", "", "", "round", "square"]),
        "freckles": int(rng.integers(15, 60)) if rng.random() < 0.25 else 0,
        "wrinkles": rng.uniform(0, 1) ** 2,
    }


def neutral_points(shape):
    """The 68 landmarks of a face at rest, before its resting actions.

    Parameters
    ----------
    shape : dict
        The traits of SHAPE.

    Returns
    -------
    (68, 2) array
        In face units.
    """
    points = np.zeros((68, 2))
    points[:9] = _right_jaw(shape)
    points[RIGHT_BROW] = _right_brow(shape)
    points[RIGHT_EYE] = _right_eye(shape)
    length, width = shape["nose_length"], shape["nose_width"]
    points[NOSE_BRIDGE] = [(0, y) for y in np.linspace(0.08, length, 4)]
    points[NOSTRILS[:3]] = [
        (-width, length + 0.10),
        (-0.5 * width, length + 0.20),
        (0, length + 0.26),
    ]
    for landmark, place in _right_mouth(shape).items():
        points[landmark] = place
    mirrored = points[MIRROR] * (-1, 1)
    left = [*range(9, 17), *LEFT_BROW, 34, 35, *range(42, 48), 52, 53, 54, 55, 56, 63, 64, 65]
    points[left] = mirrored[left]
    return points


def _right_jaw(s):
    jaw_y = 0.62 * s["chin"]
    control = [
        (-s["face_width"], -0.25),
        (-0.985 * s["face_width"], 0.7),
        (-s["jaw_width"], jaw_y),
        (-s["chin_width"], 0.93 * s["chin"]),
        (0, s["chin"]),
        (s["chin_width"], 0.93 * s["chin"]),
    ]
    half = curve(control, steps=8)[: 4 * 8 + 1]
    return resample(half, 9)


def _right_brow(s):
    t = np.linspace(1, 0, 5)  # outer to inner
    x = s["brow_inner"] + t * (s["brow_outer"] - s["brow_inner"])
    up = s["brow_height"] + s["brow_arch"] * np.sin(np.pi * t**1.3) + s["brow_tilt"] * (t - 0.4)
    return np.stack([-x, -up], axis=1)


def _right_eye(s):
    width, up, low = s["eye_width"], s["eye_upper"], s["eye_lower"]
    eye = np.array(
        [
            (-width, -0.5 * s["eye_tilt"]),
            (-0.38 * width, -up),
            (0.38 * width, -0.92 * up),
            (width, 0.5 * s["eye_tilt"]),
            (0.35 * width, low),
            (-0.42 * width, low),
        ]
    )
    eye[[1, 5], 1] -= 0.2 * s["eye_tilt"]
    return eye - (s["eye_distance"], 0)


def _right_mouth(s):
    width, y, up, low = s["mouth_width"], s["mouth"], s["upper_lip"], s["lower_lip"]
    corner = y - s["mouth_curve"]
    side = y - 0.3 * s["mouth_curve"]
    return {
        48: (-width, corner),
        49: (-0.58 * width, side - 0.72 * up),
        50: (-0.20 * width, y - up),
        51: (0, y - 0.86 * up),
        57: (0, y + low),
        58: (-0.30 * width, y + 0.94 * low),
        59: (-0.66 * width, side + 0.62 * low),
        60: (-0.90 * width, corner + 0.01),
        61: (-0.34 * width, y + 0.005),
        62: (0, y + 0.02),
        66: (0, y + 0.035),
        67: (-0.34 * width, y + 0.02),
    }


def face_points(subject, right, left):
    """The subject's 68 landmarks in frontal view under the given strengths of the action units.

    The subject's gains and resting face are applied here; lids and lips do not pass each other.

    Parameters
    ----------
    subject : Subject
    right, left : (len(UNITS),) arrays
        Strengths felt, 0 for the subject's neutral face.

    Returns
    -------
    points : (68, 2) array
        In face units.
    shown : (2, units) array
        The strengths as shown on the right and left side, resting face included.
    """
    from gcnet_caffe.data.synthetic.actions import displacement

    shown = subject.resting + subject.gains * np.stack([right, left])
    points = neutral_points(subject.shape) + displacement(*shown)
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)):
        _keep_order(points, upper, lower)
    for outer, inner in ((50, 61), (51, 62), (52, 63)):
        _keep_order(points, outer, inner, gap=0.04)
    for inner, outer in ((67, 58), (66, 57), (65, 56)):
        _keep_order(points, inner, outer, gap=0.06)
    return points, shown


def _keep_order(points, upper, lower, gap=0.015):
    """Part two landmarks that would cross vertically, half the way each."""
    overlap = points[upper, 1] + gap - points[lower, 1]
    if overlap > 0:
        points[upper, 1] -= overlap / 2
        points[lower, 1] += overlap / 2
