"""The manifest: a CSV file with one row per query image, written by readers, read by packing.

====================  ==============================================================================
column                meaning
====================  ==============================================================================
path                  query image, absolute or relative to the manifest's folder; of an image inside
                      another file, ``FILE#MEMBER`` (see `members`)
subject               who it shows; empty where the data set does not tell
expression            its expression; empty when unlabelled (identity pre-training)
reference             image of the same person's neutral face; empty when there is none
sequence              the image sequence it belongs to; empty for stills
rank                  intensity within the sequence, 0 = neutral first frame; empty for stills
source                data set
landmarks             ``x y`` of five points in pixels: right eye, left eye, nose tip, right, left
                      mouth corner (the subject's right); empty = to be detected
reference_landmarks   the same for the reference image
route                 where the landmarks come from (`ROUTES`); empty when there are none yet
====================  ==============================================================================

Messages count rows from 1, the first below the header.
"""

import csv
import os
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.files import write_csv
from gcnet_caffe.text import odd_character, open_lines

COLUMNS = (
    "path",
    "subject",
    "expression",
    "reference",
    "sequence",
    "rank",
    "source",
    "landmarks",
    "reference_landmarks",
    "route",
)

#: file68 = the data set's 68 points, annotation = its five points, manifest = given by the user,
#: detected = by the face detector, constant = the images are aligned already.
ROUTES = ("file68", "annotation", "manifest", "detected", "constant", "")


class Row(NamedTuple):
    """One query image.

    `path` and `reference` can be opened as they are; landmarks are (5, 2) arrays of x, y in pixels
    (0, 0 = centre of the top left pixel) or None; `rank` is an int or None.
    """

    path: str
    subject: str
    expression: str = ""
    reference: str = ""
    sequence: str = ""
    rank: Optional[int] = None
    source: str = ""
    landmarks: Optional[np.ndarray] = None
    reference_landmarks: Optional[np.ndarray] = None
    route: str = ""


def read_manifest(path, keep=list):
    """Read and check a manifest.

    Parameters
    ----------
    path : str or Path
    keep : callable
        What holds the rows: `list`, or `Rows` for any number of them.

    Returns
    -------
    list of Row, or what `keep` makes

    Raises
    ------
    ManifestError
        The file cannot be read, is empty, lacks a column, or a row is wrong or given twice; the
        message names the file, the row and the column.
    """
    path = Path(path)
    try:
        with open_lines(path, ManifestError) as file:
            rows = keep(_parse(file, path))
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such manifest") from None
    except csv.Error as error:
        raise ManifestError(f"{path}: not a CSV file in UTF-8: {error}") from None
    if not rows:
        raise ManifestError(f"{path}: the manifest has no rows")
    _refuse_duplicates(rows, path)
    return rows


def write_manifest(path, rows):
    """Write `rows` to the manifest `path`, whole or not at all (replacing it).

    Images below the manifest's folder are written relative to it, others absolute.

    Raises
    ------
    ManifestError
        Two rows have the same path.
    """
    _refuse_duplicates(rows, path)
    write_csv(path, COLUMNS, cells(rows, Path(path).parent))


def cells(rows, folder):
    """Return an iterator over the cells of `rows` in a manifest that lies in `folder`."""
    folder = os.path.abspath(folder)
    return (_cells(row, folder) for row in rows)


def _parse(file, path):
    reader = csv.DictReader(file)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        odd = odd_character(",".join(reader.fieldnames or ()))
        raise ManifestError(
            f"{path}: header: column {missing[0]!r} is missing; wanted {','.join(COLUMNS)}"
            + (f" ({odd})" if odd else "")
        )
    folder = str(path.parent)
    for number, cells in enumerate(reader, start=1):
        yield _row(cells, path, number, folder)


def _row(cells, path, number, folder):
    def wrong(column, what):
        return ManifestError(f"{path}: row {number}: column {column!r}: {what}")

    for column in COLUMNS:
        if cells[column] is None:
            raise wrong(column, "missing, the row is too short")
    if None in cells:
        raise ManifestError(f"{path}: row {number}: more cells than the header has columns")
    if not cells["path"].strip():
        raise wrong("path", "empty")
    if cells["route"] not in ROUTES:
        found = shown(cells["route"])
        raise wrong("route", f"{found}; wanted one of {', '.join(ROUTES[:-1])}, or none")

    def points(column):
        try:
            return _points(cells[column])
        except ValueError as error:
            raise wrong(column, error) from None

    landmarks = points("landmarks")
    try:
        rank = int(cells["rank"]) if cells["rank"] else None
    except ValueError:
        raise wrong("rank", f"{shown(cells['rank'])} is not a whole number") from None
    return Row(
        path=os.path.join(folder, cells["path"]),
        subject=cells["subject"],
        expression=cells["expression"],
        reference=os.path.join(folder, cells["reference"]) if cells["reference"] else "",
        sequence=cells["sequence"],
        rank=rank,
        source=cells["source"],
        landmarks=landmarks,
        reference_landmarks=points("reference_landmarks"),
        route=cells["route"] or ("" if landmarks is None else "manifest"),
    )


def _points(text):
    words = text.split()
    if not words:
        return None
    if len(words) != 10:
        raise ValueError(f"{len(words)} numbers; wanted 10 (x y of five points)")
    try:
        points = np.array([float(word) for word in words])
    except ValueError:
        points = np.array([np.nan])
    if not np.isfinite(points).all():
        raise ValueError(f"{shown(text)} is not 10 finite numbers")
    return points.reshape(5, 2)


def _refuse_duplicates(rows, path):
    hashes = (hash(os.path.normpath(row.path)) for row in rows)
    if len(np.unique(np.fromiter(hashes, np.int64, len(rows)))) == len(rows):
        return
    first = {}
    for number, row in enumerate(rows, start=1):
        seen = first.setdefault(os.path.normpath(row.path), number)
        if seen != number:
            raise ManifestError(
                f"{path}: row {number}: column 'path': {row.path} is in row {seen} already"
            )


def _cells(row, folder):
    def image(name):
        full = os.path.abspath(name)
        below = full.startswith(folder + os.sep)
        return full[len(folder) + 1 :] if below else full

    def numbers(points):
        return "" if points is None else " ".join(f"{value:.10g}" for value in points.ravel())

    return (
        image(row.path),
        row.subject,
        row.expression,
        image(row.reference) if row.reference else "",
        row.sequence,
        "" if row.rank is None else row.rank,
        row.source,
        numbers(row.landmarks),
        numbers(row.reference_landmarks),
        row.route,
    )
