"""Painting eyes, brows, nose, mouth and wrinkles from the landmarks."""

import cv2
import numpy as np

from gcnet_caffe.data.synthetic.canvas import PIXELS, ellipse, to_pixels
from gcnet_caffe.data.synthetic.points import curve


def paint_eyes(canvas, points, looks, resting, gaze, show):
    """Paint both eyes; `resting` are the eye centres (2, 2) and `gaze` the irises' shift."""
    for side, first in enumerate((36, 42)):
        eye = points[first : first + 6]
        upper, lower = curve(eye[:4]), curve(eye[[3, 4, 5, 0]])
        opening = np.vstack([upper, lower])
        skin = looks["skin"]
        crease = upper * (1.08, 1) - (0.08 * eye[:, 0].mean(), 0.10)
        canvas.fill(np.vstack([crease, upper[::-1]]), 0.80 * skin, 0.6, soft=0.05)
        canvas.stroke(crease, 0.55 * skin, 0.03, 0.7, soft=0.02)
        canvas.fill(opening, 0.55 + 0.30 * skin, 1.0, soft=0.02)
        centre = resting[side] + gaze
        canvas.fill(ellipse(centre, 0.215), looks["iris"], inside=opening, soft=0.02)
        canvas.fill(ellipse(centre, 0.095), 0.02, inside=opening, soft=0.015)
        canvas.fill(ellipse(centre + (0.07, -0.07), 0.04), 0.95, 0.9, inside=opening)
        canvas.stroke(upper, 0.10, 0.055, 0.85, soft=0.02)
        canvas.stroke(lower, 0.55 * skin, 0.03, 0.6, soft=0.02)


def paint_brows(canvas, points, looks, thickness, texture):
    """Paint both brows along their five landmarks, which lie on the brow's middle line."""
    tone = looks["brow_tone"] * (1 + 0.4 * texture)
    for landmarks in (points[17:22], points[26:21:-1]):  # outer to inner
        middle = curve(landmarks)
        t = np.linspace(0, 1, len(middle))[:, None]
        half = 0.5 * thickness * np.minimum(1, 0.25 + 1.5 * t) * np.minimum(1, 8 * (1.04 - t))
        outline = np.vstack([middle - half * (0, 1), (middle + half * (0, 1))[::-1]])
        canvas.fill(outline, tone, looks["brows"], soft=0.035)


def paint_nose(canvas, points, skin):
    """Paint nostrils and the wings' lower edge; the rest of the nose is shading."""
    for wing, inner in ((31, 32), (35, 34)):
        nostril = 0.35 * points[wing] + 0.65 * points[inner] + (0, -0.01)
        width = 0.42 * abs(points[wing, 0] - points[inner, 0])
        canvas.fill(ellipse(nostril, (width, 0.055)), 0.22 * skin, 0.9, soft=0.03)
        edge = points[wing] + np.array(
            [(0.0, -0.28), (0.06, -0.12), (0.02, 0.02), (-0.16, 0.04)]
        ) * ((1, 1) if wing == 35 else (-1, 1))
        canvas.stroke(curve(edge), 0.60 * skin, 0.05, 0.55, soft=0.035)
    canvas.stroke(curve(points[31:36]), 0.55 * skin, 0.06, 0.5, soft=0.05)


def paint_mouth(canvas, points, looks, show):
    """Paint the opening with teeth and tongue, then the two lips."""
    inner_top, inner_low = curve(points[60:65]), curve(points[[64, 65, 66, 67, 60]])
    opening = np.vstack([inner_top, inner_low])
    gap = points[66, 1] - points[62, 1]
    canvas.fill(opening, 0.07, 1.0, soft=0.01)
    if gap > 0.06:
        _paint_teeth(canvas, points, inner_top, opening, show)
    if gap > 0.35:
        tongue = ellipse(points[66] + (0, -0.06), (0.32, 0.24 * gap + 0.05))
        canvas.fill(tongue, 0.30, 0.8, soft=0.05, inside=opening)
    upper = np.vstack([curve(points[48:55], steps=4), inner_top[::-1]])
    lower = np.vstack([inner_low, curve(points[[48, 59, 58, 57, 56, 55, 54]], steps=4)])
    canvas.fill(upper, 0.90 * looks["lips"], 0.85, soft=0.025)
    canvas.fill(lower, looks["lips"], 0.85, soft=0.03)
    canvas.stroke(inner_top, 0.25 * looks["skin"], 0.04, 0.8, soft=0.015)
    canvas.stroke(
        curve(points[54:61] if False else points[[55, 56, 57, 58, 59]]) + (0, 0.05),
        0.6 * looks["skin"],
        0.06,
        0.5,
        soft=0.05,
    )


def _paint_teeth(canvas, points, inner_top, opening, show):
    """Upper teeth hang from the skull: they stay where the resting upper lip ends."""
    edge = inner_top + (0, 0.22)
    canvas.fill(np.vstack([inner_top - (0, 0.1), edge[::-1]]), 0.88, 0.95, 0.015, inside=opening)
    if show(16).mean() > 0.2:
        low = points[[64, 65, 66, 67, 60]]
        canvas.fill(np.vstack([low, (low - (0, 0.14))[::-1]]), 0.75, 0.9, 0.02, inside=opening)


def crease_layer(points, show, age, size):
    """Darkening (0..1) of folds and wrinkles: what the action units press into the skin, and age.

    Parameters
    ----------
    points : (68, 2) array
    show : callable
        show(unit) -> strengths (right, left).
    age : float
        0..1, wrinkles that are always there.
    size : (H, W)
        Of the canvas.
    """
    layer = np.zeros(size, np.uint8)
    for line, strength, width in _creases(points, show, age):
        value = int(255 * min(strength, 1))
        if value > 8:
            pixels = np.round(to_pixels(curve(line)) * 16).astype(np.int32)
            thickness = max(1, round(width * PIXELS))
            cv2.polylines(layer, [pixels], False, value, thickness, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(layer, (0, 0), 0.045 * PIXELS).astype(np.float32) / 255


def _creases(points, show, age):
    """(line, strength, width) of every fold."""
    for side, sign in enumerate((-1, 1)):
        unit = {number: show(number)[side] for number in (1, 2, 4, 6, 7, 9, 10, 12, 14, 15, 17)}
        wing, corner = points[(31, 35)[side]], points[(48, 54)[side]]
        outer_eye, inner_brow = points[(36, 45)[side]], points[(21, 22)[side]]
        fold = [
            wing + (sign * 0.08, -0.18),
            wing + (sign * 0.28, 0.10),
            corner + (sign * 0.22, -0.22),
            corner + (sign * 0.24, 0.05),
        ]
        yield fold, 0.15 * age + 0.45 * unit[12] + 0.35 * unit[9] + 0.35 * unit[10], 0.07
        yield (
            [corner + (sign * 0.1, -0.13), corner + (sign * 0.14, 0), corner + (sign * 0.09, 0.13)],
            0.6 * unit[14] + 0.2 * unit[12],
            0.06,
        )
        yield (
            [
                corner + (sign * 0.04, 0.05),
                corner + (sign * 0.12, 0.22),
                corner + (sign * 0.10, 0.42),
            ],
            0.2 * age + 0.4 * unit[15],
            0.06,
        )
        yield (
            [
                inner_brow + (-sign * 0.20, -0.1),
                inner_brow + (-sign * 0.16, 0.1),
                inner_brow + (-sign * 0.22, 0.3),
            ],
            0.15 * age + 0.5 * unit[4],
            0.05,
        )
        for k in (-1, 0, 1):
            start = outer_eye + (sign * 0.10, 0.08 * k)
            yield (
                [start, start + (sign * 0.14, 0.07 * k), start + (sign * 0.3, 0.16 * k)],
                0.2 * age + 0.35 * unit[6],
                0.03,
            )
        for k in (0, 1):
            top = np.array((sign * 0.12, 0.18 + 0.17 * k))
            yield [top, top + (sign * 0.1, 0.06), top + (sign * 0.2, 0.16)], 0.45 * unit[9], 0.04
        bag = points[[(41, 46)[side], (40, 47)[side]]]
        line = [outer_eye + (sign * -0.02, 0.12), bag[0] + (0, 0.13), bag[1] + (0, 0.13)]
        yield line, 0.25 * age + 0.25 * unit[6] + 0.2 * unit[7], 0.04
        brow = points[[(17, 26)[side], (19, 24)[side], (21, 22)[side]]]
        for k in (1, 2, 3):
            rise = brow - (0, 0.12 + 0.22 * k)
            rise[0] *= (0.85, 1)
            yield (
                [rise[0], rise[1], rise[2], rise[2] * (0, 1)],
                0.15 * age + 0.25 * (unit[1] + unit[2]),
                0.04,
            )
    chin = points[57] + (0, 0.25)
    yield [chin + (-0.35, 0.08), chin, chin + (0.35, 0.08)], 0.12 + 0.4 * show(17).mean(), 0.07
