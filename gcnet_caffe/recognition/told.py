"""What was found in a picture, as lines of text, JSON or CSV."""

import csv
import io
import json

from gcnet_caffe.faces.landmarks import NAMES

NO_FACE = "no face found"
_SHOWN = 3  # expressions in a line of text


def face_facts(face):
    """A `Face` as a dict of numbers and words, for JSON."""
    return {
        "box": [round(value, 1) for value in face.box.tolist()],
        "landmarks": dict(zip(NAMES, face.landmarks.tolist())),
        "score": round(face.score, 4),
        "expression": face.expression,
        "probabilities": {name: round(value, 6) for name, value in face.probabilities.items()},
    }


class _Told:
    """A way to tell of pictures; `classes` are the network's."""

    def __init__(self, classes):
        self.classes = classes

    def head(self):
        """What stands before all."""
        return ""


class Text(_Told):
    """For people: a line a picture, and one a face."""

    def faces(self, name, faces):
        """The lines of a picture."""
        if not faces:
            return f"{name}: {NO_FACE}\n"
        count = f"{len(faces)} face{'s' if len(faces) > 1 else ''}"
        return "".join([f"{name}: {count}\n", *map(_line, faces)])

    def error(self, name, error):
        """Nothing: standard error has it."""
        return ""


def _line(face):
    ranked = sorted(face.probabilities.items(), key=lambda item: -item[1])[:_SHOWN]
    said = ", ".join(f"{name} {value:.2f}" for name, value in ranked)
    x, y, width, height = (round(value) for value in face.box.tolist())
    return f"  {said}; {width} x {height} pixels at {x}, {y}\n"


class Json(_Told):
    """A JSON object a line, one a picture: `image`, and `faces` or `error`."""

    def faces(self, name, faces):
        """The line of a picture."""
        return json.dumps({"image": name, "faces": [face_facts(face) for face in faces]}) + "\n"

    def error(self, name, error):
        """The line of a picture that could not be read."""
        return json.dumps({"image": name, "error": error}) + "\n"


class Csv(_Told):
    """A row a face; a picture without one has a row, and the column `note` tells why."""

    def head(self):
        """The names of the columns."""
        points = [f"{name.replace(' ', '_')}_{axis}" for name in NAMES for axis in "xy"]
        columns = ["image", "face", "note", "expression", *self.classes]
        return _row([*columns, "x", "y", "width", "height", "score", *points])

    def faces(self, name, faces):
        """The rows of a picture."""
        if not faces:
            return self.error(name, NO_FACE)
        return "".join(_row([name, i, "", *_cells(face)]) for i, face in enumerate(faces, 1))

    def error(self, name, error):
        """The row of a picture that could not be read."""
        return _row([name, "", error, *[""] * (len(self.classes) + 16)])


def _cells(face):
    facts = face_facts(face)
    points = [value for point in facts["landmarks"].values() for value in point]
    values = facts["probabilities"].values()
    return [facts["expression"], *values, *facts["box"], facts["score"], *points]


def _row(cells):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
