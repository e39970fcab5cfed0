"""`Face`: what a `Recognizer` says of one face of a picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: What is said beside an answer whose `Face.sure` is false.
NOT_SURE = "not sure"


class Face(NamedTuple):
    """One face of a picture.

    Attributes
    ----------
    box : (4,) ndarray
        x, y, width, height in pixels of the upright picture; it may reach beyond the border.
    landmarks : (5, 2) ndarray
        x, y of right eye, left eye, nose tip, right and left mouth corner; right is the subject's.
    score : float
        How sure the detector is that it is a face, 0 to 1.
    expression : str
        The most probable one.
    probabilities : dict of str to float
        Expression -> probability, in the order of the network's classes.
    query : (64, 64) ndarray of float32
        The aligned face as the network sees it, 0..1.
    reference : (64, 64) ndarray of float32, or None
        What the query was compared with. The person's neutral face as the network generated it: 0
        or more, usually at most 1; or, where a reference was given, that face, aligned: 0..1.
    delta : (h, w) ndarray of float32, or None
        Where query and reference differ for the network: at each place of the latent
        (8x8, with valid padding 6x6) the length of the normalised distance's vector over its
        channels. Row 0 is at the top of the face; no unit; comparable within one network.
    own_reference : bool
        Whether `reference` was given; otherwise it was generated.
    sure : bool
        False where the confidence is below the threshold in the network's model folder.
    person : int, or None
        Of a face in a video, the person's number: see `tracker.Tracker`.
    """

    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    score: float
    expression: str
    probabilities: dict[str, float]
    query: NDArray[np.float32]
    reference: NDArray[np.float32] | None
    delta: NDArray[np.float32] | None
    own_reference: bool = False
    sure: bool = True
    person: int | None = None

    @property
    def confidence(self) -> float:
        """The probability of the expression, 0 to 1."""
        return self.probabilities[self.expression]

    def ranking(self) -> list[tuple[str, float]]:
        """Return the expressions with their probabilities, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda item: -item[1])
