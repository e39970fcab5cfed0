"""SFEW 2.0: faces from films, for the cross-database tests.

  [Val/]Val_Aligned_Faces_new/Val_Aligned_Faces/Angry/*.png and Train_Aligned_Faces likewise,
  with any of the outer folders left out; or, of Kaggle, sfew_2.0_labels.csv (image_name, label 0..6
  in alphabetical order, original_split) beside the folder sfew2.0_images

Test on the validation set: the labels of the test set are not public. There are no subjects, so no
folds by subject, and no reference images.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.readers._common import (
    add_root,
    class_folders,
    existing,
    expression_rows,
    first_of,
)
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.datasets.table import read_table
from gcnet_caffe.errors import ManifestError, shown

#: Expression names by the number in Kaggle's csv: alphabetical.
EMOTIONS = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")

_CSV = "sfew_2.0_labels.csv"
_COLUMNS = ("image_name", "label", "original_split")
_INNER = {
    "Val": (
        "Val_Aligned_Faces_new/Val_Aligned_Faces",
        "Val_Aligned_Faces",
        "Val_Aligned_Faces_new",
    ),
    "Train": ("Train_Aligned_Faces/Train_Aligned_Faces", "Train_Aligned_Faces"),
}
_PUBLISHED = {"Val": "436, 431 of them with an aligned face", "Train": "958, 891 aligned"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    add_root(parser, "folder that holds the SFEW folders, or Kaggle's csv", "SFEW")
    parser.add_argument("--split", choices=tuple(_INNER), default="Val", help="images to take")


def read(root: str | Path, split: str = "Val", source: str = "SFEW") -> tuple[list[Row], Survey]:
    """List the aligned images of one split of SFEW 2.0.

    Parameters
    ----------
    root : str or Path
    split : str
        ``Val`` or ``Train``.
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
        It is not SFEW, or its zip file is still packed.
    """
    root = existing(root)
    listing = root if root.is_file() else root / _CSV
    if listing.name == _CSV and listing.is_file():
        top, (rows, survey) = listing, _listed(listing, split, source)
    else:
        top = _top(root, split)
        survey = Survey()
        rows = expression_rows(class_folders(top), f"{source} {split}", survey)
    survey.where = top
    known = {f"images of {split}": (len(rows), _PUBLISHED[split])}
    return survey.finished(rows, f"image of {split}", known)


def _top(root: Path, split: str) -> Path:
    names = [f"{top}{inner}" for inner in _INNER[split] for top in (f"{split}/", "")]
    try:
        return first_of(root, [*names, split], class_folders, f"SFEW {split} folders (Angry, ...)")
    except ManifestError:
        for archive in [*root.glob(f"{split}*.zip"), *(root / split).glob(f"{split}*.zip")]:
            raise ManifestError(f"{archive}: still packed; unzip it in its folder") from None
        raise


def _listed(listing: Path, split: str, source: str) -> tuple[list[Row], Survey]:
    """The rows and survey of Kaggle's csv."""
    survey, rows = Survey(), []
    table = read_table(listing, "csv", _COLUMNS, ManifestError)
    for number, cells in enumerate(table, start=1):
        name, label, of = ((cells[column] or "").strip() for column in _COLUMNS)
        if not name or label not in set("0123456"):
            raise ManifestError(
                f"{listing}: row {number}: image {shown(name)}, label {shown(label)}; wanted 0 to 6"
            )
        path = listing.parent / "sfew2.0_images" / name
        if not of.lower().startswith(split.lower()):
            survey.skipped[f"not of {split}"] += 1
        elif not path.is_file():
            survey.skipped["listed, but no such image"] += 1
        else:
            rows.append(Row(str(path), "", EMOTIONS[int(label)], source=f"{source} {split}"))
    return rows, survey
