"""Pictures with what was found drawn in, and beneath them what the network saw and generated."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.packing.pictures import CELL, GAP, blank, framed, write
from gcnet_caffe.recognition.face import NOT_SURE, Face

#: A picture in colour, (H, W, 3): blue, green, red.
_Picture = NDArray[np.uint8]

_FRAME = (0, 160, 0)  # blue, green, red
_LINE = 26  # height of a line of text in pixels


def draw_faces(picture: _Picture, faces: Sequence[Face]) -> _Picture:
    """Draw boxes, landmarks and numbers into a picture, and a strip for each face beneath it.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of uint8
        Blue, green, red. It is not changed.
    faces : sequence of Face

    Returns
    -------
    (H', W', 3) ndarray of uint8
    """
    drawn = picture.copy()
    thick = max(1, round(max(drawn.shape) / 400))
    for number, face in _numbered(faces):
        x, y, width, height = (round(value) for value in face.box.tolist())
        cv2.rectangle(drawn, (x, y), (x + width, y + height), _FRAME, thick)
        for px, py in face.landmarks:
            cv2.circle(drawn, (round(px), round(py)), thick + 1, _FRAME, -1)
        place = x, max(20, y - 4 * thick)
        size = 0.5 * thick
        cv2.putText(drawn, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, size, _FRAME, thick)
    return _stacked([drawn, *(_strip(number, face) for number, face in _numbered(faces))])


def _numbered(faces: Sequence[Face]) -> list[tuple[int, Face]]:
    """Each face with its person's number, or in a picture with its place."""
    return [(face.person or place, face) for place, face in enumerate(faces, 1)]


def face_pictures(face: Face) -> dict[str, _Picture]:
    """Return what the network saw and gave: "query", "generated", "delta"; those that it has.

    A reference that was given is called "reference" instead of "generated".

    Each is a (132, 132, 3) ndarray of uint8.
    """
    pictures = {"query": enlarged(face.query)}
    if face.reference is not None:
        pictures["reference" if face.own_reference else "generated"] = enlarged(face.reference)
    if face.delta is not None:
        pictures["delta"] = delta_heat(face.delta)
    return pictures


def enlarged(image: NDArray[np.float32]) -> _Picture:
    """Return a (64, 64) image of 0..1 as a (132, 132, 3) picture of uint8."""
    pixels = np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)
    large = cv2.resize(pixels, (CELL, CELL), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)


def delta_heat(delta: NDArray[np.float32]) -> _Picture:
    """Return a delta map as a (132, 132, 3) picture of uint8: dark is small, yellow the largest."""
    scaled = delta / max(float(delta.max()), 1e-12) * 255
    large = cv2.resize(scaled, (CELL, CELL), interpolation=cv2.INTER_CUBIC)
    return np.asarray(
        cv2.applyColorMap(np.clip(large, 0, 255).astype(np.uint8), cv2.COLORMAP_INFERNO), np.uint8
    )


def _strip(number: int, face: Face) -> _Picture:
    columns = []
    for name, cell in face_pictures(face).items():
        title = blank(_LINE, CELL + GAP)
        write(title, name, (GAP, 18))
        columns.append(np.vstack([title, framed(cell)]))
    return np.hstack([*columns, _ranking(number, face, columns[0].shape[0])])


def _ranking(number: int, face: Face, height: int) -> _Picture:
    text = blank(height, 2 * CELL)
    unsure = () if face.sure else (NOT_SURE,)
    lines = [f"face {number}", *unsure, *(f"{value:.2f} {name}" for name, value in face.ranking())]
    for i, line in enumerate(lines[: height // _LINE]):
        write(text, line, (GAP, 18 + _LINE * i))
    return text


def _stacked(rows: Sequence[_Picture]) -> _Picture:
    width = max(row.shape[1] for row in rows)
    blanks = [blank(row.shape[0], width - row.shape[1]) for row in rows]
    return np.vstack([np.hstack(pair) for pair in zip(rows, blanks)])
