"""The live camera: a frame in, the faces found in it out."""

from __future__ import annotations

import base64
import functools
from typing import Any

from gcnet_caffe.recognition.face import Face
from gcnet_caffe.recognition.recognizer import Recognizer
from gcnet_caffe.web.result import SHOWN, answer, charts_html


def live_answer(recognizer: Recognizer, frame: str, neutral: str | None = None) -> dict[str, Any]:
    """Look for faces in a frame of the camera.

    Parameters
    ----------
    recognizer : Recognizer
    frame : str
        An image file as a data URI in base64.
    neutral : str, optional
        In the same way, the neutral face that they are compared with.

    Returns
    -------
    dict
        ``faces``, from the frame's right to its left, since the page shows it mirrored: for each
        its ``box`` (x, y, width, height in pixels of the frame), the words to write there,
        ``label``, and ``sure``; and ``html``, their probabilities.

    Raises
    ------
    ImageError
        `frame` or `neutral` is not a whole image.
    ValueError
        There is not exactly one face in `neutral`.
    """
    reference = None if neutral is None else _neutral_face(recognizer, neutral)
    found = recognizer.predict(_file(frame), reference=reference)
    faces = sorted(found[:SHOWN], key=lambda face: -face.box[0])
    labels = [f"{answer(face)} {100 * face.confidence:.0f} %" for face in faces]
    if len(faces) > 1:
        labels = [f"{number}: {label}" for number, label in enumerate(labels, 1)]
    return {
        "faces": [
            {"box": face.box.round(1).tolist(), "label": label, "sure": face.sure}
            for face, label in zip(faces, labels)
        ],
        "html": charts_html(faces, labels),
    }


@functools.lru_cache(maxsize=4)  # the page sends it with each frame
def _neutral_face(recognizer: Recognizer, picture: str) -> Face:
    [face] = recognizer.predict(_file(picture))
    return face


def _file(uri: str) -> bytes:
    return base64.b64decode(uri.partition(",")[2])
