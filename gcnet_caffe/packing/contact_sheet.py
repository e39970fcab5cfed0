"""Contact sheets: some of a manifest's faces, to look at first.

As they would be packed, each row of the manifest has two lines of pictures, the query above its
reference: the photograph with its five landmarks, the aligned crop, and augmented copies as packed
with the same seed. By expression, each subject has one line of photographs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.datasets.manifest import Row, read_manifest
from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.faces.augment import Draw, draw, face_crop
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.packing.crops import load_face
from gcnet_caffe.packing.detection import complete_landmarks
from gcnet_caffe.packing.pictures import (
    CELL,
    GAP,
    blank,
    caption,
    photograph,
    save,
    write,
)
from gcnet_caffe.packing.shards import Work

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CAPTION = 110  # width of the captions
_HEADER = 24


def write_contact_sheet(
    manifest: str | Path,
    path: str | Path,
    rows: int = 6,
    copies: int = 6,
    seed: int = 0,
    detector: str | Path | None = None,
    photometric: bool = False,
) -> None:
    """Draw the contact sheet of a manifest.

    Parameters
    ----------
    manifest : str or Path
    path : str or Path
        The picture file to write, or to replace.
    rows : int
        How many of its rows to show, drawn at random.
    copies : int
        Pictures of each face, the first not augmented.
    seed : int
        Seed of the random rows and of the augmentation.
    detector : str or Path, optional
        Model file of the face detector, for images without landmarks.
    photometric : bool
        Whether light, sharpness and noise of the augmented copies vary too.

    Raises
    ------
    UsageError
        `path` does not end in .png or .jpg, or a number is too small.
    ManifestError, ImageError
        The manifest or one of the images cannot be read, or an image shows no face.
    """
    path = _picture(path)
    if rows < 1 or copies < 1:
        raise UsageError(f"--rows {rows}, --copies {copies}: wanted 1 or more")
    listed = read_manifest(manifest)
    chosen = sorted(np.random.default_rng(seed).permutation(len(listed))[:rows].tolist())
    with tempfile.TemporaryDirectory() as folder:
        listed, failures, _ = complete_landmarks(listed, chosen, True, Work(folder), detector)
    for i, failure in failures.items():
        raise ImageError(f"{manifest}: row {i + 1}: {failure.reason}")
    titles = ["photograph", "not augmented", *(f"copy {copy}" for copy in range(1, copies))]
    blocks = []
    for i in chosen:
        draws = [draw(seed, i, copy, photometric) for copy in range(copies)]
        blocks.append(_block(listed[i], i, draws))
    save(np.vstack([_header(titles), *blocks]), path)


def write_expression_sheet(
    manifest: str | Path, path: str | Path, rows: int = 6, seed: int = 0
) -> None:
    """Draw photographs of some subjects, a line for each subject and a column for each expression.

    Parameters
    ----------
    manifest : str or Path
    path : str or Path
        The picture file to write, or to replace.
    rows : int
        How many subjects to show, drawn at random.
    seed : int
        Seed of the random subjects.

    Raises
    ------
    UsageError
        `path` does not end in .png or .jpg, or `rows` is too small.
    ManifestError, ImageError
        The manifest or one of the images cannot be read.
    """
    path = _picture(path)
    if rows < 1:
        raise UsageError(f"--rows {rows}: wanted 1 or more")
    # of several photographs the last one: that of a sequence's peak
    listed = {(row.subject, row.expression): row for row in read_manifest(manifest)}
    subjects, expressions = (sorted(set(names)) for names in zip(*listed))
    chosen = sorted(np.random.default_rng(seed).permutation(len(subjects))[:rows].tolist())
    lines = []
    for subject in (subjects[i] for i in chosen):
        cells = [_cell(listed.get((subject, expression))) for expression in expressions]
        lines.append(np.hstack([caption([subject], _CAPTION), *cells]))
    save(np.vstack([_header(expressions), *lines]), path)


def _cell(row: Row | None) -> NDArray[np.uint8]:
    if row is None:
        return blank(CELL + GAP, CELL + GAP)
    return photograph(read_grey(row.path), None)


def _picture(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix.lower() not in (".png", ".jpg"):
        raise UsageError(f"{path}: wanted a name that ends in .png or .jpg")
    return path


def _block(row: Row, number: int, draws: Sequence[Draw]) -> NDArray[np.uint8]:
    """The lines of one manifest row, as a (height, width, 3) BGR picture."""
    lines = [(row.path, row.landmarks, [f"row {number + 1}", row.subject, row.expression])]
    if row.reference:
        lines.append((row.reference, row.reference_landmarks, ["", "reference"]))
    pictures = []
    for place, (path, points, text) in enumerate(lines):
        assert points is not None  # complete_landmarks found them
        image = load_face(path, points)
        crops = [face_crop(image, points, drawn, place) for drawn in draws]
        cells = [photograph(image, points), *(photograph(crop, None) for crop in crops)]
        pictures.append(np.hstack([caption(text, _CAPTION), *cells]))
    return np.vstack(pictures)


def _header(titles: Sequence[str]) -> NDArray[np.uint8]:
    picture = blank(_HEADER, _CAPTION + (CELL + GAP) * len(titles))
    for i, title in enumerate(titles):
        write(picture, title, (_CAPTION + (CELL + GAP) * i, 16))
    return picture
