"""The faces found in pictures as text, JSON, CSV or rows: what `gcnet predict` prints."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any, TypedDict

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.faces.landmarks import NAMES
from gcnet_caffe.recognition.face import NOT_SURE, Face
from gcnet_caffe.recognition.pictures import Picture
from gcnet_caffe.recognition.watching import Seen

NO_FACE = "no face found"
_SHOWN = 3  # expressions in a line of text


class FaceFacts(TypedDict):
    """A face as JSON shows it: see `face.Face`. `reference` is "generated", "own" or None."""

    box: list[float]
    landmarks: dict[str, list[float]]
    score: float
    expression: str
    probabilities: dict[str, float]
    confidence: float
    sure: bool
    reference: str | None
    person: int | None


def face_facts(face: Face) -> FaceFacts:
    """Return a face as numbers and words, rounded."""
    reference = "own" if face.own_reference else "generated"
    return {
        "box": [round(value, 1) for value in face.box.tolist()],
        "landmarks": dict(zip(NAMES, face.landmarks.tolist())),
        "score": round(face.score, 4),
        "expression": face.expression,
        "probabilities": {name: round(value, 6) for name, value in face.probabilities.items()},
        "confidence": round(face.confidence, 6),
        "sure": face.sure,
        "reference": None if face.reference is None else reference,
        "person": face.person,
    }


def columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of a table of faces by a network of these classes."""
    points = [f"{name.replace(' ', '_')}_{axis}" for name in NAMES for axis in "xy"]
    first = ["image", "face", "note", "expression", *classes, "x", "y", "width", "height", "score"]
    last = ["file", "frame", "time", "person", "confidence", "sure", "reference"]
    return [*first, *points, *last]


def rows(seen: Seen, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return a picture's rows: one per face; or one whose `note` says why there is none.

    Parameters
    ----------
    seen : Seen
    classes : sequence of str
        The network's.

    Returns
    -------
    list of dict
        `columns` -> a number, word or truth value, or None: see `Recognizer.rows`.
    """
    picture, faces = seen
    about = {"image": picture.name, "file": picture.file, **_place(picture)}
    empty: dict[str, Any] = dict.fromkeys(columns(classes))
    if isinstance(faces, GcnetError) or not faces:
        return [{**empty, **about, "note": str(faces) if faces else NO_FACE}]
    return [{**empty, **about, "face": i, **_cells(face)} for i, face in enumerate(faces, 1)]


def _place(picture: Picture) -> dict[str, Any]:
    time = None if picture.time is None else round(picture.time, 3)
    return {"frame": picture.frame, "time": time}


def _cells(face: Face) -> dict[str, Any]:
    facts: dict[str, Any] = {**face_facts(face)}
    points = facts.pop("landmarks").items()
    corners = {
        f"{name.replace(' ', '_')}_{axis}": at for name, xy in points for axis, at in zip("xy", xy)
    }
    box = dict(zip(("x", "y", "width", "height"), facts.pop("box")))
    return {**facts.pop("probabilities"), **box, **corners, **facts}


class Text:
    """For people: a line per picture, and a line per face.

    Parameters
    ----------
    classes : sequence of str
        The network's.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = classes

    def head(self) -> str:
        """Return what comes before the first picture."""
        return ""

    def show(self, seen: Seen) -> str:
        """Return the lines of a picture; of one that cannot be read none: standard error has it."""
        name, faces = seen.picture.name, seen.faces
        if isinstance(faces, GcnetError):
            return ""
        if not faces:
            return f"{name}: {NO_FACE}\n"
        count = f"{len(faces)} face{'s' if len(faces) > 1 else ''}"
        return "".join([f"{name}: {count}\n", *map(_line, faces)])


def _line(face: Face) -> str:
    said = ", ".join(f"{name} {value:.2f}" for name, value in face.ranking()[:_SHOWN])
    x, y, width, height = (round(value) for value in face.box.tolist())
    unsure = "" if face.sure else f"{NOT_SURE}: "
    return f"  {unsure}{said}; {width} x {height} pixels at {x}, {y}\n"


class Json(Text):
    """A line per picture, a JSON object: `image`, and `faces` or `error`; `frame`, `time`."""

    def show(self, seen: Seen) -> str:
        picture, faces = seen
        facts: dict[str, Any] = {"image": picture.name}
        if picture.frame is not None:
            facts.update(_place(picture))
        if isinstance(faces, GcnetError):
            return json.dumps({**facts, "error": str(faces)}) + "\n"
        return json.dumps({**facts, "faces": [face_facts(face) for face in faces]}) + "\n"


class Csv(Text):
    """The `rows` of each picture, in `columns`."""

    def head(self) -> str:
        return _csv([columns(self.classes)])

    def show(self, seen: Seen) -> str:
        return _csv([list(row.values()) for row in rows(seen, self.classes)])


def _csv(lines: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue()
