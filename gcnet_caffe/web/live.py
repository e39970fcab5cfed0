"""The live camera: a frame in, the faces found in it out."""

from __future__ import annotations

import base64
from typing import Any

from gcnet_caffe.recognition.recognizer import Face, Recognizer
from gcnet_caffe.web.result import SHOWN, charts_html


def live_answer(recognizer: Recognizer, frame: str) -> dict[str, Any]:
    """Look for faces in a frame of the camera.

    Parameters
    ----------
    recognizer : Recognizer
    frame : str
        An image file as a data URI in base64.

    Returns
    -------
    dict
        ``faces``, from the frame's right to its left, since the page shows it mirrored: for each
        its ``box`` (x, y, width, height in pixels of the frame) and the words to write there,
        ``label``; and ``html``, their probabilities.

    Raises
    ------
    ImageError
        `frame` is not a whole image.
    """
    found = recognizer.predict(base64.b64decode(frame.partition(",")[2]))
    faces = sorted(found[:SHOWN], key=lambda face: -face.box[0])
    labels = [_label(face) for face in faces]
    if len(faces) > 1:
        labels = [f"{number}: {label}" for number, label in enumerate(labels, 1)]
    return {
        "faces": [
            {"box": face.box.round(1).tolist(), "label": label}
            for face, label in zip(faces, labels)
        ],
        "html": charts_html(faces, labels),
    }


def _label(face: Face) -> str:
    return f"{face.expression} {100 * face.probabilities[face.expression]:.0f} %"
