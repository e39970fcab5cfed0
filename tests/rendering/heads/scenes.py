"""Plain pictures of heads: no noise, blur or compression, so that two of them can be compared."""

from dataclasses import replace

import numpy as np

from gcnet_caffe.rendering.heads import acting, picture
from gcnet_caffe.rendering.heads.subject import draw_subject

FRONTAL = picture.Pose(0.0, 0.0, 0.0)
SIZE = (300, 300)


def person(seed, **looks):
    """A person without glasses or beard, with some of the looks given."""
    subject = draw_subject(np.random.default_rng(seed))
    plain = {"glasses": None, "beard": 0.0, "hair_style": "short"}
    return replace(subject, looks=replace(subject.looks, **{**plain, **looks}))


def scene(seed=0, **changes):
    plain = {"noise": 0.0, "blur": 0.0, "quality": 100, "clutter": None}
    drawn = picture.draw_scene(np.random.default_rng(seed))
    return replace(drawn, **{**plain, "background": (0.5, 0.0, 0.0), **changes})


def rendered(subject, units=None, pose=FRONTAL, view=None, size=SIZE):
    """The picture as float64, and its landmarks."""
    units = acting.together(subject.rest, units or {})
    rng = np.random.default_rng(0)
    image, points = picture.render(subject, units, pose, view or scene(), size, rng)
    return image.astype(float), points
