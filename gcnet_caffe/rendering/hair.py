"""Painting the head around the features: neck, ears, hair, beard, glasses.

The functions paint on a `Canvas`. They take the subject's traits (`shape`, the keys of `SHAPE`) or
landmarks (`points`, (68, 2), in face units), the subject's `looks`, and tones of 0..1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.rendering.canvas import Canvas, ellipse
from gcnet_caffe.rendering.points import curve
from gcnet_caffe.rendering.subject import Looks

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array, Shape, Tone

#: style -> (lowest point behind the head, width there relative to the head's, or None for bald)
BACK_HAIR: dict[str, tuple[float, float] | None] = {
    "bald": None,
    "short": (0.3, 0.94),
    "receding": (0.3, 0.94),
    "bun": (0.2, 0.92),
    "bob": (2.4, 1.10),
    "long": (4.8, 1.15),
}


def _symmetric(right_half: Array) -> Array:
    """Closed outline from its half on the picture's right, listed from top to bottom."""
    return np.vstack([right_half, (right_half * (-1, 1))[::-1]])


def _skull_top(shape: Shape) -> float:
    """Return the height of the bare skull above the eyes, in face units."""
    return shape["forehead"] + 0.75


def paint_skin(
    canvas: Canvas,
    shape: Shape,
    jaw: Array,
    skin: Tone,
) -> None:
    """The face's skin, from the jaw's 17 landmarks up over the forehead."""
    width, top = shape["face_width"], _skull_top(shape)
    dome = [(width, -0.9), (0.88 * width, -0.72 * top), (0.52 * width, -0.94 * top), (0, -top)]
    control = np.vstack([jaw[15:17], dome, (-0.52 * width, -0.94 * top)])
    right = curve(control)[6:-6][::-1]  # from the crown down to the last jaw landmark
    outline = np.vstack([curve(jaw), right[::-1], right * (-1, 1)])
    canvas.fill(outline, skin, soft=0.02)
    canvas.silhouette(outline)


def paint_body(canvas: Canvas, shape: Shape, skin: float, clothes: float) -> None:
    """Neck and shoulders."""
    neck, chin = 0.62 * shape["face_width"], shape["chin"]
    throat = np.array([(-neck, 1.5), (neck, 1.5), (neck, 6.0), (-neck, 6.0)])
    shoulder = [(0, chin + 1.4), (neck, chin + 0.8), (4.4, chin + 1.3), (4.8, 6.0)]
    for outline, tone in ((throat, 0.80 * skin), (_symmetric(curve(shoulder)), clothes)):
        canvas.fill(outline, tone)
        canvas.silhouette(outline)


def paint_ears(canvas: Canvas, shape: Shape, skin: float) -> None:
    """Both ears at eye level."""
    for sign in (-1, 1):
        ear = ellipse((sign * (shape["face_width"] + 0.06), 0.35), (0.24, 0.55))
        inside = ellipse((sign * (shape["face_width"] + 0.10), 0.35), (0.10, 0.32))
        canvas.fill(ear, 0.88 * skin)
        canvas.fill(inside, 0.6 * skin, 0.7, soft=0.06)
        canvas.silhouette(ear)


def paint_back_hair(canvas: Canvas, shape: Shape, looks: Looks, tone: Tone) -> None:
    """Hair behind the head, which frames it."""
    lowest = BACK_HAIR[looks["hair_style"]]
    if lowest is None:
        return
    low, flare = lowest
    width = shape["face_width"] + 0.12 + looks["hair_volume"]
    top = _skull_top(shape) + 0.10 + looks["hair_volume"]
    half = [(0, -top), (0.55 * width, -0.92 * top), (0.93 * width, -0.55 * top), (width, 0)]
    half += [(flare * width, 0.6 * low), (0.92 * flare * width, low), (0.5 * width, low + 0.2)]
    outline = _symmetric(curve(half))
    canvas.fill(outline, tone)
    canvas.silhouette(outline)


def paint_front_hair(canvas: Canvas, shape: Shape, looks: Looks, tone: Tone) -> None:
    """Hair over the forehead, with a parting or a fringe."""
    style, part, sweep = looks["hair_style"], looks["hair_parting"], looks["hair_sweep"]
    if style == "bald":
        return
    width = shape["face_width"] + 0.05 + 0.5 * looks["hair_volume"]
    top = _skull_top(shape) + 0.10 + looks["hair_volume"]
    line = -shape["forehead"] * (1.22 if style == "receding" else 1.0)
    line += looks["fringe"] * (shape["forehead"] - 1.15)
    side = 0.5 if style in ("long", "bob") else -0.2
    hairline = [(-width, side), (-0.94 * width, -0.6), (-0.78 * width, sweep * line)]
    hairline += [(part - 0.6, 0.93 * line), (part, 1.06 * line), (part + 0.6, 0.93 * line)]
    hairline += [(0.78 * width, sweep * line), (0.94 * width, -0.6), (width, side)]
    crown = [(width, -0.4 * top), (0.88 * width, -0.65 * top), (0.52 * width, -0.93 * top)]
    crown += [(0, -top), *((-x, y) for x, y in crown[::-1])]
    outline = np.vstack([curve(hairline), curve(crown)])
    canvas.fill(outline, tone, soft=0.05)
    canvas.silhouette(outline)


def paint_facial_hair(canvas: Canvas, points: Array, looks: Looks, tone: Tone) -> None:
    """Stubble, beard and moustache follow jaw and lips."""
    lip = points[48:55]
    cheeks = (lip[[6, 3, 0]] - (0, 0.25)) * (1.15, 1)
    region = np.vstack([curve(points[3:14]), cheeks])
    canvas.fill(region, 0.5 * looks["skin"], looks["stubble"], soft=0.15)
    if looks["beard"]:
        canvas.fill(region, tone, 0.8, soft=0.10)
    if looks["moustache"]:
        above = [(-0.12, 0.02), (0, -0.12), (0, -0.26), (0, -0.12), (0.12, 0.02)]
        edge = lip[[0, 1, 3, 5, 6]] + above
        canvas.fill(np.vstack([curve(edge), curve(lip)[::-1]]), tone, 0.85, soft=0.05)


def paint_glasses(canvas: Canvas, style: str, tone: float = 0.12) -> None:
    """Glasses sit on the bridge of the nose and follow no lid."""
    if not style:
        return
    square = np.array([(-0.66, -0.42), (0.66, -0.42), (0.60, 0.42), (-0.60, 0.42)])
    for sign in (-1, 1):
        centre = np.array((sign * 1.02, 0.10))
        rim = ellipse(centre, (0.66, 0.58)) if style == "round" else centre + square
        rim = curve(rim, closed=True)
        glare = centre + [(-0.25, -0.35), (-0.05, -0.35), (-0.3, 0.2), (-0.45, 0.2)]
        canvas.fill(glare, 0.95, 0.12, soft=0.04, inside=rim)
        canvas.stroke(np.vstack([rim, rim[:1]]), tone, 0.07, 0.95, soft=0.01)
        canvas.stroke(np.vstack([centre + (sign * 0.66, -0.05), (sign * 2.2, 0.0)]), tone, 0.06)
        canvas.stroke(np.vstack([centre - (sign * 0.66, 0.05), (0, -0.08)]), tone, 0.07)
