"""FER2013: faces in the wild of 48x48, inside a csv, for the cross-database tests.

  csv      fer2013.csv | icml_face_data.csv | fer2013/fer2013.csv: emotion, pixels and Usage, also
           with blanks before the names
  folders  test/angry/*.jpg, train/...: this form has mixed the two test sets

There are no subjects, so no folds by subject, and no reference images. Pixels stay in the csv: the
manifest names their place in it.
"""

import csv

from gcnet_caffe.data.manifest import Row
from gcnet_caffe.data.members import square_of
from gcnet_caffe.data.readers._common import (
    add_root,
    class_folders,
    existing,
    first_of,
    images_in,
)
from gcnet_caffe.data.readers.survey import Survey
from gcnet_caffe.errors import ManifestError

#: Expression names by the number in the csv.
EMOTIONS = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")
PUBLISHED = {"Training": 28709, "PublicTest": 3589, "PrivateTest": 3589}

_FILES = ("", "fer2013.csv", "icml_face_data.csv", "fer2013/fer2013.csv")
_FOLDERS = {"train": "train", "Training": "train", "test": "test"}


def add_arguments(parser):
    """Add this reader's options."""
    add_root(parser, "the csv, or the folder that holds it", "FER2013")
    parser.add_argument(
        "--split",
        choices=(*PUBLISHED, "test", "train"),
        default="PrivateTest",
        help="images to take; test and train are of the folders",
    )


def read(root, split="PrivateTest", source="FER2013"):
    """List the images of one split of FER2013.

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
    if root.is_dir() and any((root / name).is_dir() for name in ("train", "test")):
        return _tree(root, split, source)
    file = root if root.is_file() else first_of(root, _FILES[1:], _is_file, "FER2013 csv")
    survey, rows = Survey(where=file), []
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


def _is_file(path):
    return path.is_file()


def _lines(file, split):
    """Yield (byte offset, emotion, usage) of the csv's lines; the pixels of `split` are checked."""
    with open(file, "rb") as stream:
        header = _cells(stream.readline())
        columns = [name.strip().lower() for name in header]
        missing = [name for name in ("emotion", "pixels", "usage") if name not in columns]
        if missing:
            raise ManifestError(
                f"{file}: header: no column {missing[0]!r}; found {', '.join(header)[:60]!r}"
            )
        emotion, pixels, usage = (columns.index(name) for name in ("emotion", "pixels", "usage"))
        offset, number = stream.tell(), 1
        for line in iter(stream.readline, b""):
            number += 1
            cells = _cells(line)
            if cells:
                found = cells[usage].strip() if usage < len(cells) else ""
                label = _emotion(cells, emotion, pixels, file, number)
                if found == split:
                    _check_pixels(cells[pixels], file, number)
                yield offset, label, found
            offset += len(line)


def _cells(line):
    return next(csv.reader([line.decode("utf-8-sig", "replace").rstrip("\r\n")]), [])


def _emotion(cells, emotion, pixels, file, number):
    if len(cells) <= max(emotion, pixels) or cells[emotion].strip() not in set("0123456"):
        raise ManifestError(f"{file}: line {number}: emotion {cells[:1]}; wanted 0 to 6")
    return int(cells[emotion])


def _check_pixels(text, file, number):
    try:
        square_of(text)
    except ValueError as error:
        raise ManifestError(f"{file}: line {number}: {error}") from None


def _tree(root, split, source):
    if split not in _FOLDERS:
        raise ManifestError(
            f"{root}: this form of FER2013 has mixed the public and the private test images; "
            "take the csv, or all of them by --split test"
        )
    top = first_of(root, (_FOLDERS[split],), class_folders, "folders named after expressions")
    folders = class_folders(top)
    rows = [
        Row(path=str(path), subject="", expression=name, source=f"{source} {split}")
        for name, folder in folders.items()
        for path in images_in(folder)
    ]
    if not rows:
        raise ManifestError(f"{root}: no image in the folders of {split}")
    known = {"train": 28709, "test": 2 * 3589}[_FOLDERS[split]]
    return rows, Survey(known={f"images of {split}": (len(rows), known)}, where=top)
