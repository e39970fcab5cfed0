"""Facial action units (FACS): what each moves, and which make up an expression.

Source of the combinations: the prototypes of Ekman and Friesen's Facial Action Coding System and
the table that CK+ used to validate its labels (Lucey et al. 2010, table 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.rendering.points import MIDLINE, MIRROR

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array

#: unit -> {landmark of the subject's right side or the midline: (outwards, upwards)} at strength 1,
#: in face units (about 31 mm); the left side mirrors it.
ACTION_UNITS: dict[int, dict[int, tuple[float, float]]] = {
    # inner brow raiser
    1: {21: (0, 0.34), 20: (0, 0.26), 19: (0, 0.12), 18: (0, 0.03)},
    # outer brow raiser
    2: {17: (0, 0.20), 18: (0, 0.30), 19: (0, 0.26), 20: (0, 0.12)},
    # brow lowerer
    4: {
        **{21: (-0.18, -0.29), 20: (-0.14, -0.26), 19: (-0.08, -0.18)},
        **{18: (-0.03, -0.09), 17: (0, -0.03)},
    },
    # upper lid raiser
    5: {37: (0, 0.12), 38: (0, 0.12)},
    # cheek raiser: the lower lid rises and the eye narrows
    6: {40: (0, 0.07), 41: (0, 0.09), 37: (0, -0.03), 38: (0, -0.02), 36: (0, -0.02)},
    # lid tightener
    7: {40: (0, 0.07), 41: (0, 0.07), 37: (0, -0.08), 38: (0, -0.07)},
    # nose wrinkler: nose wings, inner brows and upper lip
    9: {
        **{31: (0.04, 0.14), 32: (0.02, 0.09), 33: (0, 0.05), 30: (0, 0.06)},
        **{21: (-0.06, -0.14), 20: (-0.04, -0.12), 19: (0, -0.06)},
        **{49: (0, 0.05), 50: (0, 0.09), 51: (0, 0.07), 61: (0, 0.04), 62: (0, 0.05)},
        **{37: (0, -0.05), 38: (0, -0.05), 40: (0, 0.05), 41: (0, 0.05)},
    },
    # upper lip raiser
    10: {
        **{49: (0.03, 0.14), 50: (0, 0.16), 51: (0, 0.12), 31: (0.04, 0.06), 32: (0.01, 0.03)},
        **{61: (0, 0.13), 62: (0, 0.11), 60: (0, 0.02)},
    },
    # lip corner puller
    12: {
        **{48: (0.24, 0.26), 60: (0.24, 0.25), 49: (0.16, 0.10), 59: (0.16, 0.12)},
        **{50: (0.05, 0.01), 58: (0.06, 0.02), 61: (0.09, 0.04), 67: (0.10, 0.04)},
        **{31: (0.04, 0.01), 51: (0, -0.02), 57: (0, 0.03), 4: (0.03, 0), 5: (0.03, 0)},
    },
    # dimpler: the corner is pressed in, outwards and a little up
    14: {
        **{48: (0.19, 0.13), 60: (0.18, 0.13), 49: (0.11, 0.02), 59: (0.11, 0.11)},
        **{61: (0.04, 0.02), 67: (0.04, 0.03), 50: (0.02, -0.03), 58: (0.03, 0.05)},
    },
    # lip corner depressor
    15: {
        **{48: (0.05, -0.22), 60: (0.04, -0.20), 49: (0.02, -0.08), 59: (0.02, -0.13)},
        **{61: (0, -0.03), 67: (0, -0.04)},
    },
    # lower lip depressor
    16: {57: (0, -0.12), 58: (0.02, -0.12), 59: (0.03, -0.07), 66: (0, -0.12), 67: (0.02, -0.11)},
    # chin raiser: chin and lower lip are pushed up
    17: {
        **{8: (0, 0.12), 7: (0, 0.10), 6: (0, 0.06), 57: (0, 0.13), 58: (0, 0.12)},
        **{59: (0, 0.04), 66: (0, 0.06), 67: (0, 0.05), 51: (0, 0.04), 50: (0, 0.04)},
        **{62: (0, 0.06), 61: (0, 0.04), 48: (0, -0.05), 60: (0, -0.05)},
    },
    # lip stretcher
    20: {
        **{48: (0.24, -0.07), 60: (0.24, -0.06), 49: (0.15, -0.01), 59: (0.17, -0.04)},
        **{61: (0.09, 0), 67: (0.10, 0), 50: (0.05, -0.02), 58: (0.07, 0.02), 57: (0, 0.02)},
    },
    # lip tightener: narrower and thinner
    23: {
        **{48: (-0.09, 0), 60: (-0.08, 0), 49: (-0.06, -0.06), 50: (-0.02, -0.07)},
        **{51: (0, -0.06), 57: (0, 0.08), 58: (-0.02, 0.08), 59: (-0.06, 0.05)},
    },
    # lip pressor: thin lips, no change of width
    24: {
        **{49: (0, -0.06), 50: (0, -0.08), 51: (0, -0.07)},
        **{57: (0, 0.11), 58: (0, 0.10), 59: (0, 0.05)},
    },
    # lips part
    25: {
        **{49: (0, 0.03), 50: (0, 0.05), 51: (0, 0.05), 61: (0, 0.08), 62: (0, 0.08)},
        **{57: (0, -0.10), 58: (0, -0.10), 59: (0, -0.04), 66: (0, -0.11), 67: (0, -0.10)},
    },
    # jaw drop
    26: {
        **{8: (0, -0.50), 7: (-0.01, -0.48), 6: (-0.03, -0.42), 5: (-0.05, -0.30)},
        **{4: (-0.05, -0.16), 3: (-0.02, -0.06), 57: (0, -0.42), 58: (-0.02, -0.39)},
        **{59: (-0.06, -0.24), 66: (0, -0.42), 67: (-0.03, -0.37), 48: (-0.08, -0.12)},
        **{60: (-0.08, -0.12), 49: (-0.04, -0.02)},
    },
    # mouth stretch: on top of the jaw drop
    27: {
        **{8: (0, -0.40), 7: (-0.01, -0.38), 6: (-0.03, -0.32), 5: (-0.04, -0.22)},
        **{4: (-0.03, -0.10), 57: (0, -0.42), 58: (-0.03, -0.38), 59: (-0.08, -0.22)},
        **{66: (0, -0.42), 67: (-0.04, -0.36), 48: (-0.10, -0.10), 60: (-0.10, -0.10)},
        **{49: (-0.05, 0.02), 51: (0, 0.04), 50: (0, 0.04), 61: (0, 0.05), 62: (0, 0.05)},
    },
    # eyes closing
    43: {37: (0, -0.22), 38: (0, -0.22), 40: (0, 0.03), 41: (0, 0.03)},
}
UNITS = list(ACTION_UNITS)

#: expression -> variants; a variant maps a unit to its usual strength at the peak. A subject has a
#: favourite variant of each expression.
EXPRESSIONS: dict[str, list[dict[int, float]]] = {
    "anger": [
        {4: 1.0, 5: 0.5, 7: 0.8, 23: 0.9},
        {4: 1.0, 7: 0.9, 17: 0.6, 24: 0.9},
        {4: 1.0, 5: 0.6, 7: 0.5, 10: 0.4, 25: 0.8, 26: 0.2, 23: 0.4},
    ],
    "contempt": [
        {14: 1.0, 12: 0.4},
        {14: 0.9, 12: 0.6},
        {14: 1.0, 12: 0.2, 2: 0.5},
    ],
    "disgust": [
        {9: 1.0, 10: 0.6, 17: 0.6, 7: 0.4},
        {9: 0.9, 10: 0.9, 25: 0.7, 4: 0.3, 6: 0.4},
        {9: 1.0, 10: 0.4, 4: 0.2, 15: 0.4, 17: 0.7},
    ],
    "fear": [
        {1: 0.9, 2: 0.3, 4: 0.4, 5: 0.9, 20: 0.8, 25: 0.8},
        {1: 1.0, 2: 0.4, 4: 0.3, 5: 0.8, 20: 0.8, 25: 0.6, 26: 0.3},
        {1: 0.9, 4: 0.4, 5: 0.7, 20: 1.0, 16: 0.6, 25: 0.5},
    ],
    "happy": [
        {6: 0.9, 12: 1.0},
        {6: 0.9, 12: 1.0, 25: 0.9},
        {6: 0.7, 12: 0.9, 25: 0.9, 26: 0.5},
    ],
    "sad": [
        {1: 0.9, 4: 0.5, 15: 0.8, 17: 0.4},
        {1: 0.7, 4: 0.3, 15: 1.0, 17: 0.7},
        {1: 1.0, 4: 0.5, 15: 0.7, 43: 0.3, 7: 0.2},
    ],
    "surprise": [
        {1: 0.9, 2: 0.9, 5: 0.8, 25: 0.4, 26: 0.9},
        {1: 1.0, 2: 1.0, 5: 0.7, 25: 0.4, 26: 0.9, 27: 0.7},
        {1: 0.8, 2: 1.0, 5: 1.0, 25: 0.5, 26: 0.6},
    ],
}
#: Expressions that show on one side only.
ONE_SIDED = {"contempt"}


def _moves() -> Array:
    """(units, 68, 2) displacement of the right side and half of the midline's, on the picture."""
    moves = np.zeros((len(UNITS), 68, 2))
    for row, points in zip(moves, ACTION_UNITS.values()):
        for point, (outwards, upwards) in points.items():
            row[point] = (-outwards, -upwards)
    moves[:, MIDLINE] *= (0, 0.5)
    return moves


_RIGHT = _moves()
_LEFT = _RIGHT[:, MIRROR] * (-1, 1)


def draw_variant(rng: np.random.Generator, expression: str) -> dict[int, float]:
    """Draw one of the variants of an expression.

    Parameters
    ----------
    rng : numpy Generator
    expression : str
        A name of `EXPRESSIONS`.

    Returns
    -------
    dict of int to float
        Action unit -> strength at the peak.
    """
    drawn: dict[int, float] = rng.choice(np.array(EXPRESSIONS[expression]))
    return drawn


def strengths(actions: Mapping[int, float]) -> Array:
    """Return the strengths of all action units as a vector.

    Parameters
    ----------
    actions : dict of int to float
        Action unit -> strength, usually 0..1; units that are not in it have strength 0.

    Returns
    -------
    (len(UNITS),) array
        In the order of UNITS.
    """
    return np.array([actions.get(unit, 0.0) for unit in UNITS])


def displacement(right: Array, left: Array) -> Array:
    """Return how far the action units move the 68 landmarks.

    Parameters
    ----------
    right, left : (len(UNITS),) arrays
        Strengths (usually 0..1) on the subject's right and left side.

    Returns
    -------
    (68, 2) array
        In face units, x to the picture's right, y down.
    """
    return np.tensordot(right, _RIGHT, 1) + np.tensordot(left, _LEFT, 1)
