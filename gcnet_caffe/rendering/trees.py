"""Synthetic faces on disk: CK+'s own layout, or folders of identities with a manifest.

References
----------
CK+'s read-me: frames `cohn-kanade-images/S005/001/S005_001_00000011.png`, one emotion file for a
labelled sequence (named after its last frame), one landmark file for every frame.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np
from tqdm import tqdm

from gcnet_caffe.datasets.manifest import Row, write_manifest
from gcnet_caffe.datasets.readers.ck import EMOTIONS
from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.landmarks import five_from_68
from gcnet_caffe.files import atomic
from gcnet_caffe.parallel import ordered_map
from gcnet_caffe.rendering.actions import EXPRESSIONS, UNITS, draw_variant, strengths
from gcnet_caffe.rendering.scene import render
from gcnet_caffe.rendering.sequence import draw_pose, draw_setting, render_sequence
from gcnet_caffe.rendering.subject import Subject, draw_subject

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Array, Grey

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")

# What a random stream is for: the first words of its seed (numpy pads seeds with zeros, so all
# seeds here have the same length and no zero at the end).
_ACTOR, _PLAN, _SEQUENCE, _IDENTITY, _STILL = 1, 2, 3, 4, 5


def _stream(seed: int, purpose: int, subject: int, number: int = 1) -> np.random.Generator:
    return np.random.default_rng([seed, purpose, subject, number])


def write_ck_tree(
    path: str | Path,
    subjects: int = 30,
    frames: int = 8,
    size: tuple[int, int] = (240, 240),
    seed: int = 0,
    unlabelled: float = 0.3,
    workers: int = 1,
) -> int:
    """Write a data set of acted sequences in CK+'s layout: all of it, or nothing if it fails.

    Parameters
    ----------
    path : str or Path
        The folder to make; it must not exist.
    subjects, frames : int
        Number of subjects, and of frames per sequence. Each subject acts the seven expressions.
    size : (width, height)
        Pixels.
    seed : int
        The same seed gives the same files whatever the number of workers.
    unlabelled : float
        Chance (0..1) that a subject has one more sequence, without an emotion file.
    workers : int
        Number of processes.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    UsageError
        `path` exists.
    ImageError
        A picture cannot be written.
    """
    names = _ck_names(subjects)
    tasks = [
        (index, name, number, expression, labelled)
        for index, name in enumerate(names)
        for number, expression, labelled in _ck_plan(index, seed, unlabelled)
    ]
    with atomic(path) as folder:
        work = functools.partial(_write_sequence, folder, seed, frames, size)
        _run(work, tasks, workers, "sequences")
    return len(tasks) * frames


def _ck_names(count: int) -> list[str]:
    """Subject ids with gaps, as in CK+ (S005, S010, S011, ...)."""
    gaps = np.random.default_rng(5).choice([1, 1, 1, 2, 3, 5], size=count)
    return [f"S{number:03d}" for number in 4 + np.cumsum(gaps)]


def _ck_plan(index: int, seed: int, unlabelled: float) -> list[tuple[int, str, bool]]:
    """(number, expression, labelled) of a subject's sequences, in the order acted."""
    rng = _stream(seed, _PLAN, index)
    order = [(name, True) for name in rng.permutation(sorted(EXPRESSIONS))]
    if rng.random() < unlabelled:
        order.insert(rng.integers(len(order) + 1), (rng.choice(sorted(EXPRESSIONS)), False))
    return [(number, *item) for number, item in enumerate(order, start=1)]


def _write_sequence(
    folder: Path,
    seed: int,
    frames: int,
    size: tuple[int, int],
    task: tuple[int, str, int, str, bool],
) -> None:
    index, name, number, expression, labelled = task
    subject = draw_subject(_stream(seed, _ACTOR, index), name)
    rng = _stream(seed, _SEQUENCE, index, number)
    images, landmarks, emotion = (
        Path(folder, kind, name, f"{number:03d}")
        for kind in ("cohn-kanade-images", "Landmarks", "Emotion")
    )
    for directory in (images, landmarks, emotion):
        directory.mkdir(parents=True)
    for frame, (image, points) in enumerate(
        render_sequence(subject, expression, frames, size, rng), start=1
    ):
        stem = f"{name}_{number:03d}_{frame:08d}"
        _write_png(images / f"{stem}.png", image)
        lines = (f"   {x:.7e}   {y:.7e} \n" for x, y in points)
        (landmarks / f"{stem}_landmarks.txt").write_text("".join(lines))
    if labelled:
        (emotion / f"{stem}_emotion.txt").write_text(f"   {EMOTIONS.index(expression):.7e}\n")


def write_identity_tree(
    path: str | Path,
    identities: int = 40,
    images: int = 20,
    size: tuple[int, int] = (240, 240),
    seed: int = 0,
    workers: int = 1,
) -> int:
    """Write stills of many identities in CASIA-WebFace's layout, with `manifest.csv`.

    Expression, pose and light are random. CASIA-WebFace's layout has no place for landmarks: the
    manifest gives them.

    Parameters
    ----------
    path, size, seed, workers
        As in `write_ck_tree`.
    identities, images : int
        Number of identities, and of images of each.

    Returns
    -------
    int
        Number of images written.

    Raises
    ------
    UsageError, ImageError
        As in `write_ck_tree`.
    """
    numbers = 44 + np.cumsum(np.random.default_rng(6).choice([1, 2, 5, 9], size=identities))
    tasks = [(index, f"{number:07d}") for index, number in enumerate(numbers)]
    with atomic(path) as folder:
        work = functools.partial(_write_identity, folder, seed, images, size)
        rows = [row for some in _run(work, tasks, workers, "identities") for row in some]
        write_manifest(folder / "manifest.csv", rows)
    return len(rows)


def _write_identity(
    folder: Path, seed: int, images: int, size: tuple[int, int], task: tuple[int, str]
) -> list[Row]:
    index, name = task
    subject = draw_subject(_stream(seed, _IDENTITY, index), name)
    directory = Path(folder, name)
    directory.mkdir(parents=True)
    rows = []
    for number in range(1, images + 1):
        image, points = _render_still(subject, size, _stream(seed, _STILL, index, number))
        path = directory / f"{number:03d}.png"
        _write_png(path, image)
        five = np.round(five_from_68(points), 2)
        rows.append(Row(str(path), name, source="synthetic", landmarks=five, route="manifest"))
    return rows


def _render_still(
    subject: Subject, size: tuple[int, int], rng: np.random.Generator
) -> tuple[Grey, Array]:
    variant = draw_variant(rng, rng.choice(sorted(EXPRESSIONS)))
    felt = strengths(variant) * rng.uniform(-0.5, 1.0)
    right, left = np.maximum(felt * rng.uniform(0.7, 1, (2, len(UNITS))), 0)
    gaze = 0.06 * rng.standard_normal(2)
    return render(subject, right, left, draw_pose(rng, 1.3), draw_setting(rng), size, rng, gaze)


def _write_png(path: Path, image: Grey) -> None:
    if not cv2.imwrite(str(path), image):
        raise ImageError(f"{path}: could not be written")


def _run(
    work: Callable[[_Task], _Result], tasks: list[_Task], workers: int, unit: str
) -> list[_Result]:
    """Results of `work` on every task, in order, with a progress bar."""
    results = ordered_map(work, tasks, workers, cv2.setNumThreads, (1,))
    return list(tqdm(results, total=len(tasks), unit=f" {unit}", disable=None))
