"""The faces found in pictures as text, JSON or CSV: what `gcnet predict` prints."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TypedDict

from gcnet_caffe.faces.landmarks import NAMES
from gcnet_caffe.recognition.face import Face

NO_FACE = "no face found"
_SHOWN = 3  # expressions in a line of text


class FaceFacts(TypedDict):
    """A face as JSON shows it: see `recognizer.Face`."""

    box: list[float]
    landmarks: dict[str, list[float]]
    score: float
    expression: str
    probabilities: dict[str, float]


def face_facts(face: Face) -> FaceFacts:
    """Return a face as numbers and words, rounded."""
    return {
        "box": [round(value, 1) for value in face.box.tolist()],
        "landmarks": dict(zip(NAMES, face.landmarks.tolist())),
        "score": round(face.score, 4),
        "expression": face.expression,
        "probabilities": {name: round(value, 6) for name, value in face.probabilities.items()},
    }


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

    def faces(self, name: str, faces: Sequence[Face]) -> str:
        """Return the lines of a picture."""
        if not faces:
            return f"{name}: {NO_FACE}\n"
        count = f"{len(faces)} face{'s' if len(faces) > 1 else ''}"
        return "".join([f"{name}: {count}\n", *map(_line, faces)])

    def error(self, name: str, error: str) -> str:
        """Return the line of a picture that cannot be read: none, it is on standard error."""
        return ""


def _line(face: Face) -> str:
    said = ", ".join(f"{name} {value:.2f}" for name, value in face.ranking()[:_SHOWN])
    x, y, width, height = (round(value) for value in face.box.tolist())
    return f"  {said}; {width} x {height} pixels at {x}, {y}\n"


class Json(Text):
    """A line per picture, a JSON object: `image`, and `faces` or `error`."""

    def faces(self, name: str, faces: Sequence[Face]) -> str:
        return json.dumps({"image": name, "faces": [face_facts(face) for face in faces]}) + "\n"

    def error(self, name: str, error: str) -> str:
        return json.dumps({"image": name, "error": error}) + "\n"


class Csv(Text):
    """A row per face; a picture without a face has one row, and its column `note` says why."""

    def head(self) -> str:
        points = [f"{name.replace(' ', '_')}_{axis}" for name in NAMES for axis in "xy"]
        columns = ["image", "face", "note", "expression", *self.classes]
        return _row([*columns, "x", "y", "width", "height", "score", *points])

    def faces(self, name: str, faces: Sequence[Face]) -> str:
        if not faces:
            return self.error(name, NO_FACE)
        return "".join(_row([name, i, "", *_cells(face)]) for i, face in enumerate(faces, 1))

    def error(self, name: str, error: str) -> str:
        return _row([name, "", error, *[""] * (len(self.classes) + 16)])


def _cells(face: Face) -> list[object]:
    facts = face_facts(face)
    points = [value for point in facts["landmarks"].values() for value in point]
    values = facts["probabilities"].values()
    return [facts["expression"], *values, *facts["box"], facts["score"], *points]


def _row(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
