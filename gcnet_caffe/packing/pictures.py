"""Pieces of the pictures that packing draws: photographs with landmarks, frames, captions."""

import cv2
import numpy as np

from gcnet_caffe.faces.align import SIZE

#: Side of a photograph or crop, and the gap to the next, in pixels.
CELL = 2 * SIZE
GAP = 6

_POINT = (0, 200, 0)  # BGR


def photograph(image, points):
    """The grey photograph, fitted into a cell, with its landmarks (where `points` is not None)."""
    scale = CELL / max(image.shape)
    size = [max(1, round(side * scale)) for side in image.shape[::-1]]
    small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    for x, y in () if points is None else (points + 0.5) * scale - 0.5:
        cv2.circle(small, (round(x), round(y)), 2, _POINT, -1)
    cell = blank(CELL, CELL)
    cell[: small.shape[0], : small.shape[1]] = small
    return framed(cell)


def framed(cell):
    """The cell with the gap to its right and below."""
    return cv2.copyMakeBorder(cell, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def caption(lines, width):
    """Lines of text, as high as a framed cell."""
    picture = blank(CELL + GAP, width)
    for i, line in enumerate(lines):
        write(picture, line, (6, 24 + 22 * i))
    return picture


def blank(height, width):
    """A white (height, width, 3) picture."""
    return np.full((height, width, 3), 255, np.uint8)


def write(picture, text, place):
    """Write `text` from `place` (x, y of its base line) on."""
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
