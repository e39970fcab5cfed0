"""RAF-DB, the basic expressions: faces in the wild for the cross-database tests.

  official   [basic/]EmoLabel/list_patition_label.txt (or partition), with Image/original and the
             five points of Annotation/manual, or else Image/aligned
  re-packed  [DATASET/ | raf-db/]test/1..7/*.jpg, train or valid likewise

There are no subjects, so no folds by subject, and no reference images.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe import text
from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.readers._common import add_root, existing, expression_rows, first_of
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.datasets.table import finite_numbers
from gcnet_caffe.errors import ManifestError, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Expression names by label - 1.
EMOTIONS = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
PUBLISHED = {"train": 12271, "test": 3068}

_LISTS = ("list_patition_label.txt", "list_partition_label.txt")
_TOPS = ("", "DATASET/", "raf-db/")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    add_root(parser, "folder that holds the RAF-DB folders", "RAF-DB")
    parser.add_argument("--split", choices=tuple(PUBLISHED), default="test", help="images to take")
    parser.add_argument(
        "--aligned",
        action="store_true",
        help="take the aligned images even if the originals are there",
    )


def read(
    root: str | Path, split: str = "test", aligned: bool = False, source: str = "RAF-DB"
) -> tuple[list[Row], Survey]:
    """List the images of one split of RAF-DB.

    Parameters
    ----------
    root : str or Path
    split : str
        ``test`` or ``train``.
    aligned : bool
        Whether to take the aligned images although the originals are there.
    source : str
        Name of the data set, for the manifest.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    UsageError
        There is no such folder.
    ManifestError
        It is not RAF-DB, or a line or annotation is wrong.
    """
    root = existing(root)
    numbered = {"test": ("test", "valid"), "train": ("train",)}[split]
    lists = [f"{top}EmoLabel/{name}" for top in ("", "basic/") for name in _LISTS]
    tops = [f"{top}{name}" for top in _TOPS for name in numbered]
    found = first_of(root, [*lists, *tops], _fits, f"RAF-DB with {split} images")
    survey = Survey(where=found)
    if found.is_file():
        rows = _official(found, split, aligned, f"{source} {split}", survey)
    else:
        folders = {name: found / str(label) for label, name in enumerate(EMOTIONS, start=1)}
        rows = expression_rows(folders, f"{source} {split}", survey)
    known = {f"images of {split}": (len(rows), PUBLISHED[split])}
    return survey.finished(rows, f"{split} image", known)


def _fits(path: Path) -> bool:
    return path.is_file() or all((path / str(i)).is_dir() for i in range(1, 8))


def _official(listing: Path, split: str, aligned: bool, source: str, survey: Survey) -> list[Row]:
    basic = listing.parent.parent
    originals = basic / "Image/original"
    aligned = aligned or not originals.is_dir()
    rows = []
    for number, line in enumerate(text.read(listing, ManifestError).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or words[1] not in {"1", "2", "3", "4", "5", "6", "7"}:
            raise ManifestError(f"{listing}: line {number}: {shown(line)}; wanted NAME.jpg 1..7")
        name, expression = words[0], EMOTIONS[int(words[1]) - 1]
        stem = name.rpartition(".")[0]
        path = basic / f"Image/aligned/{stem}_aligned.jpg" if aligned else originals / name
        annotation = basic / f"Annotation/manual/{stem}_manu_attri.txt"
        row = Row(str(path), "", expression, source=source)
        if not name.startswith(split):
            survey.skipped[f"not of {split}"] += 1
        elif not path.is_file():
            survey.skipped["listed, but no such image"] += 1
        elif aligned:
            rows.append(row)
        elif not annotation.is_file():
            survey.noted["images without a manual annotation"] += 1
            rows.append(row)
        else:
            rows.append(row._replace(landmarks=_points(annotation), route="annotation"))
    return rows


def _points(path: Path) -> NDArray[np.float64]:
    """The five points of an annotation, eyes and mouth corners from the picture's left."""
    lines = path.read_text(errors="replace").splitlines()[:5]
    points = finite_numbers([line.split() for line in lines])
    if points.shape != (5, 2):
        raise ManifestError(f"{path}: wanted five lines of two numbers first")
    eyes, mouth = (part[np.argsort(part[:, 0])] for part in (points[:2], points[3:]))
    return np.vstack([eyes, points[2:3], mouth])
