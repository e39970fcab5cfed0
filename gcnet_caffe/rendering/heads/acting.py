"""Expressions as face units: what a person does with the face, by how much, on either side.

The units are those of the shapes ``unit/...`` (the 52 face units known from Apple's ARKit), and
stand for FACS's action units: ``browInnerUp`` is AU1, ``browOuterUp`` AU2, ``browDown`` AU4,
``eyeWide`` AU5, ``cheekSquint`` AU6, ``eyeSquint`` AU7, ``noseSneer`` AU9, ``mouthUpperUp`` AU10,
``mouthSmile`` AU12, ``mouthDimple`` AU14, ``mouthFrown`` AU15, ``mouthLowerDown`` AU16,
``mouthShrugLower`` AU17, ``mouthPucker`` AU18, ``mouthStretch`` AU20, ``mouthFunnel`` AU22,
``mouthPress`` AU24, ``jawOpen`` AU26, ``mouthRoll...`` AU28, ``eyeBlink`` AU45.

Source: the prototypes of EMFACS (Friesen & Ekman, 1983), with units that people add or leave out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gcnet_caffe.rendering.heads.model import head

if TYPE_CHECKING:
    from numpy.random import Generator

#: How strongly each unit is shown: unit -> strength, 0 for neutral, about 1 for full.
Units = dict[str, float]


class Move(NamedTuple):
    """One unit of an expression, at its peak."""

    unit: str  # with or without a side
    low: float
    high: float
    chance: float = 1.0  # that it is part of the expression


class Form(NamedTuple):
    """One way to show an expression."""

    share: float  # of all that show it
    moves: tuple[Move, ...]
    strength: tuple[float, float] = (1.0, 1.0)  # factor on all of its units


def _form(share: float, *moves: tuple[str, float, float] | tuple[str, float, float, float]) -> Form:
    return Form(share, tuple(Move(*move) for move in moves))


_ANGER = (
    ("browDown", 0.9, 1.5),
    ("noseSneer", 0.0, 0.4),
    ("eyeWide", 0.1, 0.6, 0.5),
    ("eyeSquint", 0.2, 1.0),
    ("cheekSquint", 0.0, 0.25),
    ("jawForward", 0.0, 0.4),
)
_DISGUST = (
    ("noseSneer", 0.9, 1.5),
    ("mouthUpperUp", 0.5, 1.2),
    ("browDown", 0.1, 0.6),
    ("cheekSquint", 0.2, 0.8),
    ("eyeSquint", 0.2, 0.9),
    ("mouthShrugUpper", 0.0, 0.5),
)
_HAPPY = (
    ("eyeSquint", 0.0, 0.6),
    ("browOuterUp", 0.1, 0.5, 0.15),
    ("mouthStretch", 0.0, 0.3),
)
_SAD = (
    ("browInnerUp", 1.2, 2.0),
    ("browDown", 0.0, 0.5),
    ("eyeSquint", 0.0, 0.5),
    ("eyeBlink", 0.1, 0.3),
    ("eyeLookDown", 0.0, 0.5),
)
_SURPRISE = (
    ("browInnerUp", 0.8, 1.5),
    ("browOuterUp", 0.4, 0.9),
    ("eyeWide", 0.4, 1.2),
)
#: Expression -> its forms. A unit of a one-sided expression that ends in "*" is shown on one side,
#: the same for all.
EXPRESSIONS: dict[str, tuple[Form, ...]] = {
    "anger": (
        _form(
            0.65,  # lips pressed
            *_ANGER,
            ("mouthPress", 0.2, 0.6),
            ("mouthRollUpper", 0.3, 0.8),
            ("mouthRollLower", 0.2, 0.7),
            ("mouthShrugLower", 0.1, 0.6),
            ("mouthFrown", 0.15, 0.5),
            ("mouthPucker", 0.0, 0.25),
        ),
        _form(
            0.25,  # teeth bared
            *_ANGER,
            ("mouthUpperUp", 0.1, 0.6),
            ("mouthLowerDown", 0.5, 1.1),
            ("jawOpen", 0.05, 0.3),
            ("mouthStretch", 0.0, 0.4),
            ("mouthFunnel", 0.0, 0.4),
        ),
        _form(
            0.1,  # shouting
            *_ANGER,
            ("jawOpen", 0.4, 0.7),
            ("mouthUpperUp", 0.1, 0.5),
            ("mouthLowerDown", 0.3, 0.9),
        ),
    ),
    "contempt": (
        _form(
            1.0,
            ("mouthSmile*", 0.35, 0.75),
            ("mouthDimple*", 0.4, 1.1),
            ("mouthPress*", 0.2, 0.8),
            ("mouth*", 0.0, 0.4),
            ("browOuterUp*", 0.2, 0.7, 0.3),
            ("eyeBlink", 0.05, 0.15, 0.4),
            ("mouthUpperUp*", 0.1, 0.4, 0.4),
            ("mouthShrugLower", 0.1, 0.5, 0.4),
        ),
    ),
    "disgust": (
        _form(0.6, *_DISGUST, ("mouthFrown", 0.2, 0.9), ("mouthShrugLower", 0.2, 0.8)),
        _form(
            0.4,
            *_DISGUST,
            ("mouthLowerDown", 0.2, 0.7),
            ("jawOpen", 0.05, 0.25),
            ("tongueOut", 0.0, 0.3, 0.3),
        ),
    ),
    "fear": (
        _form(
            1.0,
            ("browInnerUp", 1.0, 1.8),
            ("browOuterUp", 0.1, 0.45),
            ("browDown", 0.2, 0.6),
            ("eyeWide", 0.7, 1.4),
            ("mouthStretch", 0.6, 1.3),
            ("mouthLowerDown", 0.1, 0.7),
            ("mouthUpperUp", 0.0, 0.4, 0.3),
            ("jawOpen", 0.05, 0.45),
            ("mouthFrown", 0.0, 0.4),
        ),
    ),
    "happy": (
        _form(
            0.38,  # soft, the mouth closed
            *_HAPPY,
            ("mouthSmile", 0.35, 0.8),
            ("cheekSquint", 0.1, 0.7),
            ("mouthDimple", 0.0, 0.5),
            ("mouthPress", 0.0, 0.35),
        ),
        _form(
            0.62,
            *_HAPPY,
            ("mouthSmile", 0.6, 1.05),
            ("cheekSquint", 0.4, 1.1),
            ("mouthUpperUp", 0.3, 1.0),
            ("mouthLowerDown", 0.1, 1.0),
            ("jawOpen", 0.0, 0.3, 0.75),
        ),
    ),
    "sad": (
        _form(
            0.8,
            *_SAD,
            ("mouthFrown", 0.6, 1.1),
            ("mouthShrugLower", 0.1, 0.9),
            ("mouthRollLower", 0.0, 0.3),
        ),
        _form(
            0.2,  # near to tears, the lips parted
            *_SAD,
            ("mouthFrown", 0.6, 1.1),
            ("mouthStretch", 0.1, 0.5),
            ("mouthLowerDown", 0.1, 0.5),
            ("cheekSquint", 0.2, 0.8),
        ),
    ),
    "surprise": (
        _form(
            0.8,
            *_SURPRISE,
            ("jawOpen", 0.3, 0.85),
            ("mouthFunnel", 0.0, 0.4),
            ("mouthPucker", 0.0, 0.2),
        ),
        _form(0.2, *_SURPRISE, ("jawOpen", 0.1, 0.3), ("mouthPucker", 0.0, 0.3)),
    ),
}
#: Units that a resting face has a little of: not jaw, tongue and gaze, nor shifts of the mouth.
_AT_REST = (
    "browDown",
    "browInnerUp",
    "browOuterUp",
    "cheekSquint",
    "eyeBlink",
    "eyeSquint",
    "eyeWide",
    "mouthDimple",
    "mouthFrown",
    "mouthFunnel",
    "mouthLowerDown",
    "mouthPress",
    "mouthPucker",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmile",
    "mouthStretch",
    "mouthUpperUp",
    "noseSneer",
)
_SMALLER_AT_REST = {"mouthSmile": 0.6, "mouthFrown": 0.6}
#: Standard deviation of a person's own resting face, and of a moment's.
_HABIT, _MOMENT = 0.06, 0.05
#: The two sides of an expression differ by this share, as a standard deviation.
_UNEVEN = 0.12


def sides(unit: str) -> tuple[str, ...]:
    """Return the shapes of a unit: itself, or its left and right ones."""
    return (unit,) if f"unit/{unit}" in head() else (f"{unit}Left", f"{unit}Right")


def draw_expression(expression: str, rng: Generator, intensity: float = 1.0) -> Units:
    """Draw one way to show an expression.

    Parameters
    ----------
    expression : str
        A key of EXPRESSIONS.
    rng : numpy Generator
    intensity : float
        Factor on all units: 0 is neutral, 0.35 weak, 1 full.

    Returns
    -------
    dict
        Unit -> strength.
    """
    forms = EXPRESSIONS[expression]
    form = forms[rng.choice(len(forms), p=[form.share for form in forms])]
    side = rng.choice(["Left", "Right"])
    units: Units = {}
    for move in form.moves:
        if rng.random() >= move.chance:
            continue
        strength = intensity * rng.uniform(move.low, move.high)
        if move.unit.endswith("*"):
            units[move.unit[:-1] + side] = strength
            continue
        uneven = rng.normal(0, _UNEVEN)
        for name, sign in zip(sides(move.unit), (1, -1)):
            units[name] = max(0.0, strength * (1 + sign * uneven * (len(sides(move.unit)) - 1)))
    return units


def draw_rest(rng: Generator, spread: float = _HABIT) -> Units:
    """Draw a resting face: how a person looks when nothing is shown, or a moment's deviation."""
    units: Units = {}
    for unit in _AT_REST:
        both = rng.normal(0, spread) * _SMALLER_AT_REST.get(unit, 1.0)
        for name in sides(unit):
            one = both + rng.normal(0, spread / 3)
            if unit == "eyeBlink":
                one = abs(one)
            units[name] = max(one, 0.0 if unit.startswith("eye") else -0.12)
    return units


def draw_moment(rng: Generator) -> Units:
    """Draw what a face does at one moment besides its expression; sometimes the lips part."""
    units = draw_rest(rng, _MOMENT)
    if rng.random() < 0.2:
        units["jawOpen"] = rng.uniform(0, 0.06)
    return units


def together(*parts: Units) -> Units:
    """Return the sum of several units."""
    total: Units = {}
    for part in parts:
        for unit, strength in part.items():
            total[unit] = total.get(unit, 0.0) + strength
    return total


def scaled(units: Units, share: float) -> Units:
    """Return units at a share of their strength."""
    return {unit: share * strength for unit, strength in units.items()}


def both_sides(units: Units, unit: str, most: float = 1.3) -> np.ndarray[tuple[int], np.dtype]:
    """Return the strength of a unit on the subject's right and left, (2,), from 0 to `most`."""
    left, right = (units.get(name, 0.0) for name in (sides(unit) * 2)[:2])
    return np.clip(np.array([right, left], np.float32), 0, most)
