"""FER2013: faces in the wild of 48x48, inside a csv, for the cross-database tests.

  csv      fer2013.csv | icml_face_data.csv | fer2013/fer2013.csv, or a file of any name with such a
           header: emotion, pixels and Usage, also with blanks before the names
  folders  test/angry/*.jpg, train/...: this form has mixed the two test sets

There are no subjects, so no folds by subject, and no reference images. Pixels stay in the csv: the
manifest gives the byte at which each line begins.
"""

from __future__ import annotations

import argparse
import csv
import functools
from collections.abc import Iterator
from pathlib import Path

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.datasets.readers._common import (
    add_root,
    class_folders,
    contents,
    existing,
    expression_rows,
    first_of,
)
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.faces.kinds import HEAD, Kind, kind_of
from gcnet_caffe.faces.members import square_of

#: Expression names by the number in the csv.
EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PUBLISHED = {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}

_COLUMNS = ("emotion", "pixels", "usage")
_FILES = ("fer2013.csv", "icml_face_data.csv", "fer2013/fer2013.csv")
_FOLDERS = {"train": "train", "Training": "train", "test": "test"}
_LINE_BYTES = 1 << 20  # a longer line is none of the csv's


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    add_root(parser, "the csv, or the folder that holds it", "FER2013")
    parser.add_argument(
        "--split",
        choices=(*PUBLISHED, "test", "train"),
        default="PrivateTest",
        help="images to take; test and train are of the folders",
    )


def read(
    root: str | Path, split: str = "PrivateTest", source: str = "FER2013"
) -> tuple[list[Row], Survey]:
    """List the images of one split of FER2013.

    If both the csv and the folders are there, the csv is taken, except for the splits that only the
    folders have.

    Parameters
    ----------
    root : str or Path
    split : str
        A key of `PUBLISHED`; of the folders, ``test`` or ``train``.
    source : str
        Name of the data set, for the manifest.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    UsageError
        There is no such file or folder.
    ManifestError
        It is not FER2013, it lacks the split, or a line is wrong.
    """
    root = existing(root)
    file = root if root.is_file() else _csv_in(root)
    folders = [name for name in ("train", "test") if (root / name).is_dir()]
    if folders and (file is None or split not in PUBLISHED):
        return _tree(root, split, source)
    if file is None:
        raise ManifestError(f"{root}: no FER2013 csv; {_instead(root)}")
    survey, rows = Survey(where=file), []
    if folders:
        survey.noted["folders beside the csv, which are not read"] = len(folders)
    for offset, emotion, usage in _lines(file, split):
        if usage != split:
            survey.skipped[f"of {usage}"] += 1
        else:
            rows.append(
                Row(
                    path=f"{file}#{offset}",
                    subject="",
                    expression=EMOTIONS[emotion],
                    source=f"{source} {split}",
                )
            )
    if not rows:
        raise ManifestError(f"{file}: no line with Usage {split!r}{survey.instead()}")
    survey.known = {f"images of {split}": (len(rows), PUBLISHED.get(split, "unknown"))}
    return rows, survey


def _csv_in(folder: Path) -> Path | None:
    """The csv in a folder, by its name, or else a file with such a header."""
    for path in (folder / name for name in _FILES):
        if path.is_file():
            return path
    files = (path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
    found = (path for path in files if not set(_COLUMNS) - set(_names(_header(path))))
    return min(found, key=lambda path: natural_key(path.name), default=None)


def _instead(folder: Path) -> str:
    """What is there instead of a csv, as the end of a message."""
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        kind = _kind(path)
        if kind is not None and kind.words.endswith("archive"):
            return f"found {path.name}, {kind.words}; unpack it"
    return f"looked for {', '.join(_FILES)}; found {contents(folder)}"


def _kind(file: Path) -> Kind | None:
    """What the file is by its bytes alone; a csv is of no kind."""
    with open(file, "rb") as stream:
        return kind_of(stream.read(HEAD))


def _header(file: Path) -> list[str]:
    with open(file, "rb") as stream:
        return _cells(stream.readline(_LINE_BYTES))


def _names(header: list[str]) -> list[str]:
    return [name.strip().lower() for name in header]


def _lines(file: Path, split: str) -> Iterator[tuple[int, int, str]]:
    """Yield (byte offset, emotion, usage) of the csv's lines; the pixels of `split` are checked."""
    kind = _kind(file)
    if kind is not None:
        raise ManifestError(f"{file}: found {kind.words}; wanted FER2013's csv")
    with open(file, "rb") as stream:
        header = _cells(stream.readline(_LINE_BYTES))
        columns = _names(header)
        missing = [name for name in _COLUMNS if name not in columns]
        if missing:
            raise ManifestError(
                f"{file}: header: no column {missing[0]!r}; found {shown(', '.join(header))}, "
                "wanted emotion,pixels,Usage"
            )
        emotion, pixels, usage = (columns.index(name) for name in _COLUMNS)
        offset, number = stream.tell(), 1
        for line in iter(functools.partial(stream.readline, _LINE_BYTES), b""):
            number += 1
            cells = _cells(line)
            if cells:
                found = cells[usage].strip() if usage < len(cells) else ""
                label = _emotion(cells, emotion, pixels, file, number)
                if found == split:
                    _check_pixels(cells[pixels], file, number)
                yield offset, label, found
            offset += len(line)


def _cells(line: bytes) -> list[str]:
    """The cells of a line; none of a blank one. What is no CSV is one cell."""
    text = line.decode("utf-8-sig", "replace").rstrip("\r\n")
    try:
        cells = next(csv.reader([text]), [])
    except csv.Error:
        cells = [text]
    return cells if text.strip() else []


def _emotion(cells: list[str], emotion: int, pixels: int, file: Path, number: int) -> int:
    found = cells[emotion].strip() if emotion < len(cells) else ",".join(cells)
    if len(cells) <= max(emotion, pixels) or found not in set("0123456"):
        raise ManifestError(f"{file}: line {number}: emotion {shown(found)}; wanted 0 to 6")
    return int(found)


def _check_pixels(text: str, file: Path, number: int) -> None:
    try:
        square_of(text)
    except ValueError as error:
        raise ManifestError(f"{file}: line {number}: {error}") from None


def _tree(root: Path, split: str, source: str) -> tuple[list[Row], Survey]:
    if split not in _FOLDERS:
        raise ManifestError(
            f"{root}: this form of FER2013 has mixed the public and the private test images; "
            "take the csv, or all of them with --split test"
        )
    top = first_of(root, (_FOLDERS[split],), class_folders, "folders named after expressions")
    survey = Survey(where=top)
    rows = expression_rows(class_folders(top), f"{source} {split}", survey)
    if not rows:
        raise ManifestError(f"{root}: no image in the folders of {split}{survey.instead()}")
    known = {"train": 28709, "test": 2 * 3589}[_FOLDERS[split]]
    survey.known = {f"images of {split}": (len(rows), known)}
    return rows, survey
