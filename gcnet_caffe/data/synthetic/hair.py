"""Painting the head around the features: ears, neck, hair, beard, glasses."""

import numpy as np

from gcnet_caffe.data.synthetic.canvas import ellipse
from gcnet_caffe.data.synthetic.points import curve


def head_outline(shape, jaw):
    """Closed outline of the skin: the jaw's landmarks and the forehead above them."""
    width, top = shape["face_width"], shape["forehead"] + 1.0
    over = [
        (1.00 * width, -0.9),
        (0.86 * width, -0.55 * top - 0.5),
        (0.50 * width, -0.9 * top - 0.1),
        (0, -top),
    ]
    left = np.array([jaw[16], *over])
    arc = curve(np.vstack([jaw[15:17], over, (-0.5 * width, -0.9 * top - 0.1)]))[6:-6]
    del left
    return np.vstack([curve(jaw), arc, (arc * (-1, 1))[::-1]])


def paint_body(canvas, shape, skin, clothes):
    """Neck and shoulders."""
    neck = 0.72 * shape["jaw_width"]
    chin = shape["chin"]
    outline = [(-neck, 1.5), (neck, 1.5), (neck, 5.5), (-neck, 5.5)]
    shoulders = [
        (-4.5, 5.6),
        (-4.2, chin + 1.3),
        (-neck, chin + 0.8),
        (0, chin + 1.4),
        (neck, chin + 0.8),
        (4.2, chin + 1.3),
        (4.5, 5.6),
    ]
    canvas.fill(np.array(outline), 0.80 * skin)
    canvas.fill(curve(shoulders), clothes)
    canvas.silhouette(np.array(outline))
    canvas.silhouette(curve(shoulders))


def paint_ears(canvas, shape, skin):
    for sign in (-1, 1):
        ear = ellipse((sign * (shape["face_width"] + 0.06), 0.35), (0.24, 0.55))
        canvas.fill(ear, 0.88 * skin)
        canvas.fill(
            ellipse((sign * (shape["face_width"] + 0.10), 0.35), (0.10, 0.32)),
            0.6 * skin,
            0.7,
            soft=0.06,
        )
        canvas.silhouette(ear)


def paint_back_hair(canvas, shape, looks, tone):
    """Hair behind the head: what frames the face."""
    style = looks["hair_style"]
    if style == "bald":
        return
    width = shape["face_width"] + 0.12 + looks["hair_volume"]
    top = shape["forehead"] + 1.05 + looks["hair_volume"]
    low = {"long": 4.6, "bob": 2.4, "bun": 0.4, "short": 0.3, "receding": 0.3}[style]
    flare = {"long": 1.12, "bob": 1.10}.get(style, 0.96)
    half = [
        (0, -top),
        (0.62 * width, -0.93 * top),
        (width, -0.45 * top),
        (width, 0),
        (flare * width, 0.6 * low),
        (0.92 * flare * width, low),
    ]
    right = curve(half)
    outline = np.vstack([right, (right * (-1, 1))[::-1]])
    canvas.fill(outline, tone)
    canvas.silhouette(outline)


def paint_front_hair(canvas, shape, looks, tone):
    """Hair over the forehead, with parting or fringe."""
    style = looks["hair_style"]
    if style == "bald":
        return
    width = shape["face_width"] + 0.05 + 0.5 * looks["hair_volume"]
    top = shape["forehead"] + 1.05 + looks["hair_volume"]
    line = -shape["forehead"] * {"receding": 1.25}.get(style, 1.0)
    if looks["fringe"]:
        line = -1.25 + 0.5 * (1 - looks["fringe"])
    part = looks["hair_parting"]
    side = 0.4 if style in ("long", "bob") else -0.2
    hairline = [
        (-width, side),
        (-0.93 * width, -0.7),
        (-0.72 * width, 0.72 * line),
        (part - 0.5, 0.97 * line),
        (part, 1.06 * line),
        (part + 0.5, 0.97 * line),
        (0.72 * width, 0.72 * line),
        (0.93 * width, -0.7),
        (width, side),
    ]
    crown = [
        (width, -0.45 * top),
        (0.66 * width, -0.9 * top),
        (0, -top),
        (-0.66 * width, -0.9 * top),
        (-width, -0.45 * top),
    ]
    outline = np.vstack([curve(hairline), curve(crown)])
    canvas.fill(outline, tone, soft=0.05)
    canvas.silhouette(outline)


def paint_facial_hair(canvas, points, looks, tone):
    """Stubble, beard and moustache follow jaw and lips."""
    jaw, skin = points[3:14], looks["skin"]
    lip = points[48:55]
    region = np.vstack([curve(jaw), (lip[::-1] - (0, 0.25))[[0, 3, 6]] * (1.15, 1)])
    if looks["stubble"]:
        canvas.fill(region, 0.5 * skin, looks["stubble"], soft=0.15)
    if looks["beard"]:
        canvas.fill(region, tone, 0.8, soft=0.10)
    if looks["moustache"]:
        top = np.array(
            [
                lip[0] + (-0.12, 0.02),
                lip[1] - (0, 0.12),
                lip[3] - (0, 0.26),
                lip[5] - (0, 0.12),
                lip[6] + (0.12, 0.02),
            ]
        )
        canvas.fill(np.vstack([curve(top), curve(lip)[::-1]]), tone, 0.85, soft=0.05)


def paint_glasses(canvas, points, style, tone=0.12):
    """Frames sit on the bridge of the nose and do not follow the lids."""
    if not style:
        return
    inner = []
    for sign in (-1, 1):
        centre = np.array((sign * 1.02, 0.10))
        if style == "round":
            rim = ellipse(centre, (0.66, 0.58), 28)
        else:
            rim = curve(
                centre + np.array([(-0.66, -0.42), (0.66, -0.42), (0.60, 0.42), (-0.60, 0.42)]),
                closed=True,
            )
        canvas.stroke(np.vstack([rim, rim[:1]]), tone, 0.075, 0.95, soft=0.01)
        glare = centre + np.array([(-0.25, -0.35), (-0.05, -0.35), (-0.3, 0.2), (-0.45, 0.2)])
        canvas.fill(glare, 0.95, 0.12, soft=0.04, inside=rim)
        canvas.stroke([centre + (sign * 0.66, -0.05), (sign * 2.2, 0.0)], tone, 0.06)
        inner.append(centre - (sign * 0.66, 0.05))
    canvas.stroke([inner[0], (0, -0.08), inner[1]], tone, 0.07)
