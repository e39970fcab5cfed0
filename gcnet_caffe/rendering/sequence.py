"""An acted expression, frame by frame from neutral to its peak, as CK+ recorded them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.rendering.actions import EXPRESSIONS, ONE_SIDED, UNITS, draw_variant, strengths
from gcnet_caffe.rendering.scene import Pose, Setting, render
from gcnet_caffe.rendering.subject import Subject, draw_subject

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array, Grey

__all__ = ["EXPRESSIONS", "draw_subject", "render_sequence", "render_still"]


def render_sequence(
    subject: Subject, expression: str, frames: int, size: tuple[int, int], rng: np.random.Generator
) -> Iterator[tuple[Grey, Array]]:
    """Render one sequence; the first frame is neutral, the last is the peak.

    Parameters
    ----------
    subject : Subject
    expression : str
        A name of `EXPRESSIONS`.
    frames : int
        At least 4.
    size : (width, height)
        Pixels.
    rng : numpy Generator
        Everything random in this sequence is drawn from it.

    Yields
    ------
    image : (height, width) uint8 array
    landmarks : (68, 2) array
        Pixels.
    """
    right, left = _draw_peak(subject, expression, rng)
    setting, pose, drift = draw_setting(rng), draw_pose(rng), draw_pose(rng, spread=0.35)
    for course in _courses(frames, rng):
        jitter = 0.02 * rng.standard_normal((2, len(UNITS))) * (course.mean() > 0)
        moved = _between(pose, drift, course.mean())
        gaze = 0.06 * rng.standard_normal(2)
        yield render(
            subject,
            np.maximum(course * right + jitter[0], 0),
            np.maximum(course * left + jitter[1], 0),
            moved,
            setting,
            size,
            rng,
            gaze,
        )


def render_still(
    subject: Subject, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Grey, Array]:
    """Render one picture of any expression, pose and light; the result is a frame's."""
    variant = draw_variant(rng, rng.choice(sorted(EXPRESSIONS)))
    felt = strengths(variant) * rng.uniform(-0.5, 1.0)
    right, left = np.maximum(felt * rng.uniform(0.7, 1, (2, len(UNITS))), 0)
    gaze = 0.06 * rng.standard_normal(2)
    return render(subject, right, left, draw_pose(rng, 1.3), draw_setting(rng), size, rng, gaze)


def _draw_peak(subject: Subject, expression: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """Strengths at the peak, right and left: mostly the subject's favourite variant."""
    variant = subject.variants[expression]
    if rng.random() < 0.1:
        variant = draw_variant(rng, expression)
    felt = strengths(variant) * rng.uniform(0.85, 1.2)
    felt *= np.exp(0.10 * rng.standard_normal(len(UNITS)))
    right, left = felt * rng.uniform(0.85, 1), felt * rng.uniform(0.85, 1)
    if expression in ONE_SIDED:
        weak = rng.uniform(0.0, 0.3)
        right, left = (weak * right, left) if rng.random() < 0.5 else (right, weak * left)
    return right, left


def _courses(frames: int, rng: np.random.Generator) -> Iterator[Array]:
    """(units,) share of the peak for every frame: 0 at first, above 0.9 in the last three."""
    lag = rng.uniform(-0.08, 0.08, len(UNITS))
    for frame in range(frames):
        time = np.clip(frame / (frames - 3) + lag * (frame > 0), 0, 1)
        creep = 1 - 0.03 * max(0, frames - 1 - frame)
        yield time**2 * (3 - 2 * time) * creep


def _between(pose: Pose, drift: Pose, share: float) -> Pose:
    """The pose, and as much of the drift as belongs to this share of the course."""
    return Pose(
        pose.yaw + share * drift.yaw,
        pose.pitch + share * drift.pitch,
        pose.roll + share * drift.roll,
        pose.scale,
        tuple(np.add(pose.shift, share * np.array(drift.shift))),
    )


def draw_pose(rng: np.random.Generator, spread: float = 1.0) -> Pose:
    """Draw a roughly frontal pose.

    Parameters
    ----------
    rng : numpy Generator
    spread : float
        Factor on the usual deviations from frontal; 1 = usual.

    Returns
    -------
    Pose
    """
    yaw, pitch, roll = spread * np.clip(rng.normal(size=3), -2, 2) * (0.17, 0.12, 0.09)
    scale = 1 + 0.05 * np.clip(rng.normal(), -2, 2)
    return Pose(yaw, pitch, roll, scale, tuple(spread * rng.uniform(-0.15, 0.15, 2)))


def draw_setting(rng: np.random.Generator) -> Setting:
    """Draw light and camera of one recording.

    Parameters
    ----------
    rng : numpy Generator

    Returns
    -------
    Setting
    """
    across, up = rng.uniform(-1.1, 1.1), rng.uniform(-0.3, 0.9)
    light = (np.sin(across) * np.cos(up), -np.sin(up), np.cos(across) * np.cos(up))
    return Setting(
        light=np.array(light),
        ambient=rng.uniform(0.2, 0.65),
        exposure=rng.uniform(0.8, 1.1),
        gamma=rng.uniform(1.0, 1.5),
        background=rng.uniform(0.2, 0.8),
        slope=tuple(rng.uniform(-0.2, 0.2, 2)),
        clothes=rng.uniform(0.1, 0.9),
        blur=rng.uniform(0.3, 0.9),
        noise=rng.uniform(0.005, 0.02),
    )
