"""A contact sheet: what packing makes of some of a manifest's faces, for its user to look at.

Two lines of pictures for each row of the manifest, the query above its reference: the photograph
with its five landmarks, the aligned crop, and augmented copies as packed with the same seed.
"""

from pathlib import Path

import cv2
import numpy as np

from gcnet_caffe.data.align import SIZE
from gcnet_caffe.data.augment import draw, face_crop
from gcnet_caffe.data.detection import complete_landmarks
from gcnet_caffe.data.faces import load_face
from gcnet_caffe.data.manifest import read_manifest
from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.files import atomic

_CELL = 2 * SIZE  # side of a picture on the sheet, in pixels
_GAP = 6
_CAPTION = 110  # width of the captions
_HEADER = 24
_POINT = (0, 200, 0)  # BGR


def write_contact_sheet(manifest, path, rows=6, copies=6, seed=0, detector=None):
    """Draw the contact sheet of `manifest` into the picture file `path` (replacing it).

    Parameters
    ----------
    manifest, path : str or Path
    rows : int
        How many of its rows to show, drawn by the seed.
    copies : int
        Pictures of each face, the first not augmented.
    seed : int
        Of the augmentation.
    detector : str or Path, optional
        Model file of the face detector, for images without landmarks.

    Raises
    ------
    UsageError
        `path` does not end in .png or .jpg, or a number makes no sense.
    ManifestError, ImageError
        The manifest or one of the images cannot be read, or shows no face.
    """
    path = Path(path)
    if path.suffix.lower() not in (".png", ".jpg"):
        raise UsageError(f"{path}: wanted a name that ends in .png or .jpg")
    if rows < 1 or copies < 1:
        raise UsageError(f"--rows {rows}, --copies {copies}: wanted 1 or more")
    listed = read_manifest(manifest)
    chosen = sorted(np.random.default_rng(seed).permutation(len(listed))[:rows].tolist())
    listed, failures = complete_landmarks(listed, chosen, True, detector)
    for i, reason in failures.items():
        raise ImageError(f"{manifest}: row {i + 1}: {reason}")
    titles = ["photograph", "not augmented", *(f"copy {copy}" for copy in range(1, copies))]
    blocks = [_block(listed[i], i, seed, copies) for i in chosen]
    sheet = np.vstack([_header(titles), *blocks])
    with atomic(path, overwrite=True) as scratch:
        scratch.write_bytes(cv2.imencode(path.suffix, sheet)[1].tobytes())


def _block(row, number, seed, copies):
    """The lines of one manifest row, as a (height, width, 3) BGR picture."""
    lines = [(row.path, row.landmarks, [f"row {number + 1}", row.subject, row.expression])]
    if row.reference:
        lines.append((row.reference, row.reference_landmarks, ["", "reference"]))
    pictures = []
    for path, points, caption in lines:
        image = load_face(path, points)
        crops = [face_crop(image, points, draw(seed, number, copy)) for copy in range(copies)]
        pictures.append(np.hstack([_caption(caption), _photograph(image, points), *_cells(crops)]))
    return np.vstack(pictures)


def _cells(crops):
    for crop in crops:
        large = cv2.resize(crop, (_CELL, _CELL), interpolation=cv2.INTER_NEAREST)
        yield _framed(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR))


def _photograph(image, points):
    """The photograph, fitted into a cell, with its landmarks."""
    scale = _CELL / max(image.shape)
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    small = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR)
    for x, y in (points + 0.5) * scale - 0.5:
        cv2.circle(small, (round(x), round(y)), 2, _POINT, -1)
    cell = _blank(_CELL, _CELL)
    cell[: small.shape[0], : small.shape[1]] = small
    return _framed(cell)


def _framed(cell):
    return cv2.copyMakeBorder(cell, 0, _GAP, 0, _GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255))


def _caption(lines):
    picture = _blank(_CELL + _GAP, _CAPTION)
    for i, line in enumerate(lines):
        _write(picture, line, (6, 24 + 22 * i))
    return picture


def _header(titles):
    picture = _blank(_HEADER, _CAPTION + (_CELL + _GAP) * len(titles))
    for i, title in enumerate(titles):
        _write(picture, title, (_CAPTION + (_CELL + _GAP) * i, 16))
    return picture


def _blank(height, width):
    return np.full((height, width, 3), 255, np.uint8)


def _write(picture, text, place):
    cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1, cv2.LINE_AA)
