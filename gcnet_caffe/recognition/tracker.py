"""The same number for the same person, from frame to frame of a video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Boxes that share this part of what they cover together are of one person.
OVERLAP = 0.3
#: Frames that a face may be away, or not be found, and keep its number.
PATIENCE = 15


class Tracker:
    """Numbers faces by the overlap of their boxes with those of earlier frames.

    Of all pairs of a person's last box and a box of this frame, the one with the largest overlap
    (intersection over union) belongs together, then the next; less than `OVERLAP` does not count. A
    face that is left gets the next number. Nothing is known of what faces look like: who comes back
    after `PATIENCE` frames, or elsewhere, is a new person, and two who change places within a
    frame change numbers.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, NDArray[np.float64]]] = {}  # person -> frame, box
        self._frame = self._people = 0

    def update(self, boxes: Sequence[NDArray[np.float64]]) -> list[int]:
        """Return the person of each face of the next frame.

        Parameters
        ----------
        boxes : sequence of (4,) ndarray
            x, y, width, height.

        Returns
        -------
        list of int
            Numbers from 1 on, in the order in which the people appear.
        """
        self._frame += 1
        recent = {n: box for n, (seen, box) in self._last.items() if self._frame - seen <= PATIENCE}
        pairs = [
            (_overlap(box, last), i, person)
            for i, box in enumerate(boxes)
            for person, last in recent.items()
        ]
        found: dict[int, int] = {}
        for overlap, i, person in sorted(pairs, key=lambda pair: -pair[0]):
            if overlap >= OVERLAP and i not in found and person not in found.values():
                found[i] = person
        for i, box in enumerate(boxes):
            if i not in found:
                self._people += 1
                found[i] = self._people
            self._last[found[i]] = self._frame, box
        return [found[i] for i in range(len(boxes))]


def _overlap(box: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    low = np.maximum(box[:2], other[:2])
    high = np.minimum(box[:2] + box[2:], other[:2] + other[2:])
    shared = np.maximum(high - low, 0).prod()
    return float(shared / (box[2:].prod() + other[2:].prod() - shared))
