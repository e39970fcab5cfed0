"""Pieces of the pictures that packing draws: photographs with landmarks, frames, captions.

All pictures are (height, width, 3) ndarrays of uint8: blue, green, red, 0..255.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gcnet_caffe.faces.align import SIZE
from gcnet_caffe.files import atomic

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Side of a photograph or crop, and the gap to the next, in pixels.
CELL = 2 * SIZE
GAP = 6

_POINT = (0, 200, 0)  # BGR


def photograph(image: NDArray[np.uint8], points: NDArray[np.float64] | None) -> NDArray[np.uint8]:
    """Return a photograph, scaled to fit into a cell, with its landmarks, framed.

    Parameters
    ----------
    image : (H, W) ndarray of uint8
        Grey.
    points : (N, 2) ndarray of float64, or None
        The landmarks to draw: x, y in pixels of the photograph.

    Returns
    -------
    (CELL + GAP, CELL + GAP, 3) ndarray of uint8
    """
    scale = CELL / max(image.shape)
    height, width = (max(1, round(side * scale)) for side in image.shape)
    grey = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    small = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    for x, y in () if points is None else (points + 0.5) * scale - 0.5:
        cv2.circle(small, (round(x), round(y)), 2, _POINT, -1)
    cell = blank(CELL, CELL)
    cell[: small.shape[0], : small.shape[1]] = small
    return framed(cell)


def framed(cell: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the cell with a white gap at its right and below."""
    return np.pad(cell, ((0, GAP), (0, GAP), (0, 0)), constant_values=255)


def caption(lines: Sequence[str], width: int) -> NDArray[np.uint8]:
    """Return lines of text as a picture of that width, as high as a framed cell.

    Parameters
    ----------
    lines : sequence of str
    width : int
        In pixels.

    Returns
    -------
    (CELL + GAP, width, 3) ndarray of uint8
    """
    picture = blank(CELL + GAP, width)
    for i, line in enumerate(lines):
        write(picture, line, (6, 24 + 22 * i))
    return picture


def blank(height: int, width: int) -> NDArray[np.uint8]:
    """Return a white picture."""
    return np.full((height, width, 3), 255, np.uint8)


def save(picture: NDArray[np.uint8], path: Path) -> None:
    """Write a picture to `path` (replacing it), whole or not at all; the name gives the format."""
    with atomic(path, overwrite=True) as scratch:
        scratch.write_bytes(cv2.imencode(path.suffix, picture)[1].tobytes())


def write(picture: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    """Write `text` into `picture`; `place` is (x, y), where its base line begins.

    Parameters
    ----------
    picture : (H, W, 3) ndarray of uint8
        Changed in place.
    text : str
        ASCII.
    place : (int, int)
        In pixels.
    """
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
