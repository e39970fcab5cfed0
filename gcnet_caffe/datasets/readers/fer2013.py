"""FER2013: faces in the wild of 48x48, inside a csv, for the cross-database tests.

  csv      fer2013.csv | icml_face_data.csv | fer2013/fer2013.csv, or a file of any name with such a
           header: emotion, pixels and Usage, also with blanks before the names
  folders  test/angry/*.jpg, train/...: this form has mixed the two test sets

There are no subjects, so no folds by subject, and no reference images. Pixels stay in the csv: the
manifest gives the byte at which each line begins.
"""

from __future__ import annotations

import argparse
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
    find,
    first_of,
)
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.faces.file_kinds import HEAD, Kind, kind_of
from gcnet_caffe.faces.images_in_files import LINE_BYTES, line_cells, square_of

#: Expression names by the number in the csv.
EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PUBLISHED = {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}

_COLUMNS = ("emotion", "pixels", "usage")
_FILES = ("fer2013.csv", "icml_face_data.csv", "fer2013/fer2013.csv")
_FOLDERS = {"train": "train", "Training": "train", "test": "test"}


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
    survey = Survey(where=file)
    if folders:
        survey.noted["folders beside the csv, which are not read"] = len(folders)
    rows = list(_rows(file, split, f"{source} {split}", survey))
    known = {f"images of {split}": (len(rows), PUBLISHED.get(split, "unknown"))}
    return survey.finished(rows, f"line with Usage {split!r}", known)


def _csv_in(folder: Path) -> Path | None:
    """The csv in a folder, by its name, or else a file with such a header."""
    files = [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]
    files.sort(key=lambda path: natural_key(path.name))
    named = find(folder, _FILES, Path.is_file)
    return named or next((path for path in files if not _missing(_header(path))), None)


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
        return [name.strip() for name in line_cells(stream.readline(LINE_BYTES))]


def _missing(header: list[str]) -> list[str]:
    return [name for name in _COLUMNS if name not in map(str.lower, header)]


def _rows(file: Path, split: str, source: str, survey: Survey) -> Iterator[Row]:
    """Yield the rows of a split; its pixels are checked."""
    kind = _kind(file)
    if kind is not None:
        raise ManifestError(f"{file}: found {kind.words}; wanted FER2013's csv")
    header = _header(file)
    missing = _missing(header)
    if missing:
        raise ManifestError(
            f"{file}: header: no column {missing[0]!r}; found {shown(', '.join(header))}, "
            "wanted emotion,pixels,Usage"
        )
    columns = [name.lower() for name in header]
    with open(file, "rb") as stream:
        offset = len(stream.readline(LINE_BYTES))
        for number, line in enumerate(iter(lambda: stream.readline(LINE_BYTES), b""), start=2):
            cells = dict(zip(columns, line_cells(line)))
            usage = cells.get("usage", "").strip()
            if cells:  # else the line is blank
                expression = _expression(cells, usage == split, f"{file}: line {number}")
            if usage == split:
                yield Row(f"{file}#{offset}", "", expression, source=source)
            elif cells:
                survey.skipped[f"of {usage}"] += 1
            offset += len(line)


def _expression(cells: dict[str, str], used: bool, where: str) -> str:
    """The expression of a line of the csv; the pixels of one that is `used` are checked."""
    emotion = cells.get("emotion", ",".join(cells.values())).strip()
    if emotion not in set("0123456") or "pixels" not in cells:
        raise ManifestError(f"{where}: emotion {shown(emotion)}; wanted 0 to 6")
    if used:
        try:
            square_of(cells["pixels"])
        except ValueError as error:
            raise ManifestError(f"{where}: {error}") from None
    return EMOTIONS[int(emotion)]


def _tree(root: Path, split: str, source: str) -> tuple[list[Row], Survey]:
    if split not in _FOLDERS:
        raise ManifestError(
            f"{root}: this form of FER2013 has mixed the public and the private test images; "
            "take the csv, or all of them with --split test"
        )
    top = first_of(root, (_FOLDERS[split],), class_folders, "folders named after expressions")
    survey = Survey(where=top)
    rows = expression_rows(class_folders(top), f"{source} {split}", survey)
    published = {"train": 28709, "test": 2 * 3589}[_FOLDERS[split]]
    known = {f"images of {split}": (len(rows), published)}
    return survey.finished(rows, f"image in the folders of {split}", known)
