"""People in motion and in stills: what is written to disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.rendering.heads import acting, picture
from gcnet_caffe.rendering.heads.acting import EXPRESSIONS
from gcnet_caffe.rendering.heads.subject import Subject, draw_subject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    Frame = tuple[NDArray[np.uint8], NDArray[np.float64]]


__all__ = ["EXPRESSIONS", "draw_subject", "render_sequence", "render_session", "render_still"]


def render_sequence(
    subject: Subject, expression: str, frames: int, size: tuple[int, int], rng: Generator
) -> Iterator[Frame]:
    """Render one sequence; the first frame is neutral, the last is the peak.

    Parameters
    ----------
    subject : Subject
    expression : str
        A key of `acting.EXPRESSIONS`.
    frames : int
        At least 4.
    size : (width, height)
        Pixels.
    rng : numpy Generator
        Everything about this sequence is drawn from it.

    Yields
    ------
    image : (height, width) uint8 array
    landmarks : (68, 2) array
        Pixels.
    """
    peak = acting.draw_expression(expression, rng, subject.energy * rng.uniform(0.6, 1.05))
    scene, pose, drift = (
        picture.draw_scene(rng),
        picture.draw_pose(rng),
        picture.draw_pose(rng, 0.3),
    )
    moment = acting.draw_moment(rng)
    lags = dict(zip(peak, rng.uniform(-0.08, 0.08, len(peak))))
    for frame in range(frames):
        time = frame / (frames - 3)
        course = {
            unit: strength * _course(time + lags[unit] * (frame > 0), frames - 1 - frame)
            for unit, strength in peak.items()
        }
        flutter = acting.scaled(acting.draw_moment(rng), 0.3)
        units = acting.together(subject.rest, moment, flutter, course)
        moved = picture.turned_by(pose, drift, min(time, 1.0))
        yield picture.render(subject, units, moved, scene, size, rng)


def _course(time: float, left: int) -> float:
    """Share of the peak: 0 at first, above 0.9 in the last three frames."""
    time = min(max(time, 0.0), 1.0)
    return time**2 * (3 - 2 * time) * (1 - 0.03 * left)


def render_still(subject: Subject, size: tuple[int, int], rng: Generator) -> Frame:
    """Render a still: any expression of any strength, blends and near-neutral faces included."""
    names = sorted(EXPRESSIONS)
    felt = acting.draw_expression(rng.choice(names), rng, max(0.0, rng.uniform(-0.4, 1.0)))
    if rng.random() < 0.15:
        felt = acting.together(
            felt, acting.draw_expression(rng.choice(names), rng, rng.uniform(0.1, 0.5))
        )
    units = acting.together(subject.rest, acting.draw_moment(rng), felt)
    return picture.render(
        subject, units, picture.draw_pose(rng, 1.3), picture.draw_scene(rng), size, rng
    )


def render_session(
    subject: Subject, expressions: Sequence[str], size: tuple[int, int], rng: Generator
) -> Iterator[Frame]:
    """Render pictures of one person in one light: a neutral one first, as their reference.

    An expression has any strength from weak to full. A neutral face may have a trace of one.

    Parameters
    ----------
    subject : Subject
    expressions : sequence of str
        Keys of `acting.EXPRESSIONS`, or "neutral": one picture each.
    size, rng
        As in `render_sequence`.

    Yields
    ------
    image, landmarks
        As in `render_sequence`.
    """
    scene, pose = picture.draw_scene(rng), picture.draw_pose(rng)
    for number, expression in enumerate(("neutral", *expressions)):
        if expression != "neutral":
            strength = rng.uniform(0.4, 1.1)
        else:
            expression = rng.choice(sorted(EXPRESSIONS))
            strength = max(0.0, rng.uniform(-0.12, 0.12)) * (number > 0)
        felt = acting.draw_expression(expression, rng, subject.energy * strength)
        units = acting.together(subject.rest, acting.draw_moment(rng), felt)
        moved = picture.turned_by(pose, picture.draw_pose(rng, 0.5), 1.0)
        yield picture.render(subject, units, moved, scene, size, rng)
