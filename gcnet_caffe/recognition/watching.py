"""Faces in one picture after the other; those of a video with a number per person."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.faces.images_in_files import is_video
from gcnet_caffe.recognition.face import Face
from gcnet_caffe.recognition.inputs import Input
from gcnet_caffe.recognition.pictures import Picture
from gcnet_caffe.recognition.tracker import Tracker

if TYPE_CHECKING:
    from gcnet_caffe.recognition.recognizer import Recognizer

#: The reference that means: the most neutral frames of each person of a video.
AUTO = "auto"
#: Frames whose mean is a person's reference.
NEUTRAL_FRAMES = 5

#: Person of a video -> a face whose `query` is that person's neutral face, if there is one.
References = Mapping[int, Union[Face, None]]
#: What faces may be compared with.
Reference = Union[Input, Face, References, None]


class Seen(NamedTuple):
    """What was found in a picture.

    Attributes
    ----------
    picture : Picture
    faces : list of Face, or GcnetError
        Those of a video have a `person`; the error says why the picture cannot be read.
    """

    picture: Picture
    faces: list[Face] | GcnetError


def watch(
    recognizer: Recognizer,
    pictures: Iterable[Picture],
    reference: Reference = None,
    *,
    batch: int,
    keep: bool = False,
) -> Iterator[Seen]:
    """Yield what is found in each picture.

    Parameters
    ----------
    recognizer : Recognizer
    pictures : iterable of Picture
    reference : picture, Face or dict, optional
        As `Recognizer.predict` takes it; or what `neutral_references` gives: a person without one
        keeps the generated reference.
    batch : int
        As for `Recognizer.stream`.
    keep : bool
        Whether to yield the pictures with their pixels; by default their `image` is None.

    Raises
    ------
    UsageError, ImageError
        As `Recognizer.stream`.
    """
    waiting: deque[Picture] = deque()

    def images() -> Iterator[Any]:
        for picture in pictures:
            waiting.append(picture if keep else picture._replace(image=None))
            yield picture.image

    people = reference if isinstance(reference, Mapping) else {}
    given = None if isinstance(reference, Mapping) else reference
    tracker = Tracker()
    for faces in recognizer.stream(images(), "bgr", batch, reference=given):
        picture = waiting.popleft()
        if picture.frame is not None and not isinstance(faces, GcnetError):
            tracker = Tracker() if picture.frame == 0 else tracker
            numbers = tracker.update([face.box for face in faces])
            faces = [face._replace(person=n) for face, n in zip(faces, numbers)]
            faces = _compared(recognizer, faces, people)
        yield Seen(picture, faces)


def _compared(recognizer: Recognizer, faces: list[Face], people: References) -> list[Face]:
    references = [people.get(face.person or 0) for face in faces]
    pairs = [(face, other) for face, other in zip(faces, references) if other]
    again = iter(recognizer.compare([face for face, _ in pairs], [other for _, other in pairs]))
    return [next(again) if other else face for face, other in zip(faces, references)]


def check_auto(recognizer: Recognizer, path: str | Path) -> None:
    """Check that the people in the file `path` can be compared with their own neutral frames.

    Raises
    ------
    UsageError
        It is no video, or the network has no class neutral.
    """
    if not (os.path.isfile(path) and is_video(path)):
        raise UsageError(f"--reference auto: {path}: wanted a video; or give a picture instead")
    if NEUTRAL not in recognizer.classes:
        raise UsageError(
            f"--reference auto: this network has no class {NEUTRAL}; give a picture instead"
        )


def neutral_references(seen: Iterable[Seen]) -> dict[int, Face | None]:
    """Return the neutral face of each person of a video.

    It is the mean of the `NEUTRAL_FRAMES` aligned faces with the highest probability of neutral, of
    those that are called neutral: in one frame alone the person may blink or be blurred. It is None
    of a person who is never called neutral.

    Parameters
    ----------
    seen : iterable of Seen
        All of one video, by a network with the class neutral.

    Returns
    -------
    dict of int to Face or None
    """
    best: dict[int, list[Face]] = {}
    for _, faces in seen:
        for face in () if isinstance(faces, GcnetError) else faces:
            assert face.person is not None
            found = best.setdefault(face.person, [])
            if face.expression == NEUTRAL:
                found.append(face)
                found.sort(key=lambda face: -face.probabilities[NEUTRAL])
                del found[NEUTRAL_FRAMES:]
    return {person: _mean(faces) for person, faces in best.items()}


def _mean(faces: list[Face]) -> Face | None:
    if not faces:
        return None
    return faces[0]._replace(query=np.mean([face.query for face in faces], axis=0))
