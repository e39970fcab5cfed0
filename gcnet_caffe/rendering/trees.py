"""Synthetic faces on disk: CK+'s own layout, or a folder for each person with a manifest.

References
----------
CK+'s read-me: frames `cohn-kanade-images/S005/001/S005_001_00000011.png`, one emotion file for a
labelled sequence (named after its last frame), one landmark file for every frame.
"""

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from gcnet_caffe import files
from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.datasets.manifest import Row, write_manifest
from gcnet_caffe.datasets.readers.ck import EMOTIONS
from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.landmarks import five_from_68
from gcnet_caffe.parallel import ordered_map

if TYPE_CHECKING:
    from gcnet_caffe.rendering._types import Grey

#: What draws the people: kind -> module with EXPRESSIONS, `draw_subject`, `render_sequence` and
#: `render_still`; "3d" also has `render_session`.
KINDS = {
    "2d": "gcnet_caffe.rendering.sequence",
    "3d": "gcnet_caffe.rendering.heads.sequence",
}
#: Labelled sequences of each expression in CK+, of 118 subjects.
CK_SEQUENCES = {
    "anger": 45,
    "contempt": 18,
    "disgust": 59,
    "fear": 25,
    "happy": 69,
    "sad": 28,
    "surprise": 83,
}
CK_SUBJECTS = 118

#: Sessions of a person in `write_pair_tree`, and how often neutral is shown in them.
_SESSIONS, _NEUTRALS = 2, 3

# What a random stream is for: the first words of its seed (numpy pads seeds with zeros, so all
# seeds here have the same length and no zero at the end).
_ACTOR, _PLAN, _SEQUENCE, _IDENTITY, _STILL, _PERSON, _SESSION = 1, 2, 3, 4, 5, 6, 7


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
    kind: str = "3d",
    like_ck: bool = False,
) -> int:
    """Write a data set of acted sequences in CK+'s layout; a call after a kill continues it.

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
    kind : str
        A key of KINDS.
    like_ck : bool
        As many sequences of each expression as CK+ has (CK_SEQUENCES), of 118 subjects, instead of
        seven of each subject; `subjects` and `unlabelled` do not count then.

    Returns
    -------
    int
        Number of frames written.

    Raises
    ------
    UsageError
        `path` exists, or another process writes it; or the kind lacks a library.
    ImageError
        A picture cannot be written.
    """
    expressions = sorted(_renderer(kind).EXPRESSIONS)
    plans = (
        _plans_like_ck(seed)
        if like_ck
        else [_ck_plan(index, seed, unlabelled, expressions) for index in range(subjects)]
    )
    tasks = [
        _Sequence(index, name, number, expression, labelled)
        for index, (name, plan) in enumerate(zip(_ck_names(len(plans)), plans))
        for number, (expression, labelled) in enumerate(plan, start=1)
    ]
    settings = _Settings(kind, seed, size, frames)
    with files.unfinished(path, json.dumps([settings, tasks])) as folder:
        work = functools.partial(_write_sequence, folder, settings)
        _run(work, tasks, folder, workers, "sequences")
    return len(tasks) * frames


class _Settings(NamedTuple):
    kind: str
    seed: int
    size: tuple[int, int]
    images: int  # frames of a sequence, or stills of a person


class _Sequence(NamedTuple):
    person: int
    name: str
    number: int
    expression: str
    labelled: bool


def _renderer(kind: str) -> Any:
    """Return the module of a kind; it says what it lacks."""
    return importlib.import_module(KINDS[kind])


def _ck_names(count: int) -> list[str]:
    """Subject ids with gaps, as in CK+ (S005, S010, S011, ...)."""
    gaps = np.random.default_rng(5).choice([1, 1, 1, 2, 3, 5], size=count)
    return [f"S{number:03d}" for number in 4 + np.cumsum(gaps)]


def _ck_plan(
    index: int, seed: int, unlabelled: float, expressions: list[str]
) -> list[tuple[str, bool]]:
    """(expression, labelled) of a subject's sequences, in the order acted."""
    rng = _stream(seed, _PLAN, index)
    order = [(str(name), True) for name in rng.permutation(expressions)]
    if rng.random() < unlabelled:
        order.insert(rng.integers(len(order) + 1), (str(rng.choice(expressions)), False))
    return order


def _plans_like_ck(seed: int) -> list[list[tuple[str, bool]]]:
    """The same for each of CK+'s subjects: no expression twice, and each subject has one."""
    rng = _stream(seed, _PLAN, 0)
    plans: list[list[tuple[str, bool]]] = [[] for _ in range(CK_SUBJECTS)]
    for expression, count in sorted(CK_SEQUENCES.items(), key=lambda item: item[1]):
        # those with the fewest sequences first, in a random order
        order = sorted(rng.permutation(CK_SUBJECTS), key=lambda index: len(plans[index]) > 1)
        for index in order[:count]:
            plans[index].append((expression, True))
    return [[plan[place] for place in rng.permutation(len(plan))] for plan in plans]


def _write_sequence(folder: Path, settings: _Settings, task: _Sequence) -> None:
    _, name, number, expression, labelled = task
    renderer = _renderer(settings.kind)
    subject = renderer.draw_subject(_stream(settings.seed, _ACTOR, task.person), name)
    rng = _stream(settings.seed, _SEQUENCE, task.person, number)
    images, landmarks, emotion = (
        Path(folder, kind, name, f"{number:03d}")
        for kind in ("cohn-kanade-images", "Landmarks", "Emotion")
    )
    for directory in (images, landmarks, emotion):
        directory.mkdir(parents=True, exist_ok=True)
    frames = renderer.render_sequence(subject, expression, settings.images, settings.size, rng)
    for frame, (image, points) in enumerate(frames, start=1):
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
    kind: str = "3d",
) -> int:
    """Write stills of many identities in CASIA-WebFace's layout, with `manifest.csv`.

    Expression, pose and light are random. CASIA-WebFace's layout has no place for landmarks: the
    manifest gives them.

    Parameters
    ----------
    path, size, seed, workers, kind
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
    _renderer(kind)  # says what it lacks before anything is written
    numbers = 44 + np.cumsum(np.random.default_rng(6).choice([1, 2, 5, 9], size=identities))
    tasks = [_Identity(index, f"{number:07d}") for index, number in enumerate(numbers)]
    settings = _Settings(kind, seed, size, images)
    with files.unfinished(path, json.dumps([settings, tasks])) as folder:
        work = functools.partial(_write_identity, folder, settings)
        found = _run(work, tasks, folder, workers, "identities")
        rows = [
            Row(
                str(folder / name / file),
                name,
                source="synthetic",
                landmarks=np.array(five),
                route="manifest",
            )
            for (_, name), files_of in zip(tasks, found)
            for file, five in files_of
        ]
        write_manifest(folder / "manifest.csv", rows)
    return len(rows)


class _Identity(NamedTuple):
    person: int
    name: str


def _write_identity(
    folder: Path, settings: _Settings, task: _Identity
) -> list[tuple[str, list[list[float]]]]:
    """Write a person's stills; return the file name and the five landmarks of each."""
    renderer = _renderer(settings.kind)
    subject = renderer.draw_subject(_stream(settings.seed, _IDENTITY, task.person), task.name)
    directory = folder / task.name
    directory.mkdir(exist_ok=True)
    made = []
    for number in range(1, settings.images + 1):
        rng = _stream(settings.seed, _STILL, task.person, number)
        image, points = renderer.render_still(subject, settings.size, rng)
        _write_png(directory / f"{number:03d}.png", image)
        made.append((f"{number:03d}.png", np.round(five_from_68(points), 2).tolist()))
    return made


def write_pair_tree(
    path: str | Path,
    people: int = 40,
    size: tuple[int, int] = (240, 240),
    seed: int = 0,
    workers: int = 1,
) -> int:
    """Write labelled pictures of many people, each with a neutral reference, and `manifest.csv`.

    A person shows each expression once, with any strength, and neutral three times, in two
    sessions. A session has a light, a background and a camera of its own, and begins with the
    reference of its other pictures.

    Parameters
    ----------
    path, size, seed, workers
        As in `write_ck_tree`.
    people : int
        How many.

    Returns
    -------
    int
        Number of pictures written.

    Raises
    ------
    UsageError, ImageError
        As in `write_ck_tree`.
    """
    _renderer("3d")
    tasks = [_Identity(index, f"{index:05d}") for index in range(people)]
    settings = _Settings("3d", seed, size, _SESSIONS)
    with files.unfinished(path, json.dumps(["pairs", settings, tasks])) as folder:
        work = functools.partial(_write_person, folder, settings)
        found = _run(work, tasks, folder, workers, "people")
        rows = [
            Row(
                str(folder / name / file),
                name,
                expression,
                str(folder / name / reference),
                source="synthetic",
                landmarks=np.array(five),
                reference_landmarks=np.array(of_reference),
                route="manifest",
            )
            for (_, name), pictures in zip(tasks, found)
            for file, expression, five, reference, of_reference in pictures
        ]
        write_manifest(folder / "manifest.csv", rows)
    return len(rows) + people * _SESSIONS


def _write_person(folder: Path, settings: _Settings, task: _Identity) -> list[tuple[Any, ...]]:
    """Write a person's sessions; return (file, expression, landmarks, reference, its landmarks)."""
    renderer = _renderer(settings.kind)
    rng = _stream(settings.seed, _PERSON, task.person)
    subject = renderer.draw_subject(rng, task.name)
    (folder / task.name).mkdir(exist_ok=True)
    shown = rng.permutation([*sorted(renderer.EXPRESSIONS), *[NEUTRAL] * _NEUTRALS])
    made = []
    for number, expressions in enumerate(np.array_split(shown, _SESSIONS), start=1):
        rng = _stream(settings.seed, _SESSION, task.person, number)
        frames = renderer.render_session(subject, expressions.tolist(), settings.size, rng)
        for place, (image, points) in enumerate(frames):
            name = f"{number}_{place}_{expressions[place - 1] if place else 'reference'}.png"
            _write_png(folder / task.name / name, image)
            five = np.round(five_from_68(points), 2).tolist()
            if place == 0:
                reference = name, five
            else:
                made.append((name, str(expressions[place - 1]), five, *reference))
    return made


def _write_png(path: Path, image: Grey) -> None:
    if not cv2.imwrite(str(path), image):
        raise ImageError(f"{path}: could not be written")


def _run(
    work: Callable[[Any], Any], tasks: list[Any], folder: Path, workers: int, unit: str
) -> list[Any]:
    """Results of `work` on every task, in order, with a progress bar; finished ones are kept."""
    kept = functools.partial(_kept, work, folder)
    results = ordered_map(kept, tasks, workers, cv2.setNumThreads, (1,))
    return list(tqdm(results, total=len(tasks), unit=f" {unit}", disable=None))


def _kept(work: Callable[[Any], Any], folder: Path, task: Any) -> Any:
    note = folder / files.NOTES / f"{'_'.join(map(str, task[:3]))}.json"
    if not note.exists():
        files.write_text(note, json.dumps(work(task)))
    return json.loads(note.read_text())
