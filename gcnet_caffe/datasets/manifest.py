"""The manifest: a CSV file with one row per query image, written by readers, read by packing.

====================  ==============================================================================
column                meaning
====================  ==============================================================================
path                  query image, absolute or relative to the manifest's folder; of an image inside
                      another file, ``FILE#MEMBER`` (see `images_in_files`)
subject               who it shows; empty where the data set does not say
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

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gcnet_caffe.datasets.table import finite_numbers, read_table
from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.files import write_csv

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    rank: int | None = None
    source: str = ""
    landmarks: NDArray[np.float64] | None = None
    reference_landmarks: NDArray[np.float64] | None = None
    route: str = ""


def read_manifest(
    path: str | Path, keep: Callable[[Iterable[Row]], Sequence[Row]] = list
) -> Sequence[Row]:
    """Read and check a manifest.

    Parameters
    ----------
    path : str or Path
    keep : callable
        Makes the sequence that holds the rows: `list`, or `Rows` for any number of them.

    Returns
    -------
    sequence of Row

    Raises
    ------
    ManifestError
        The file cannot be read, is empty, lacks a column, or a row is wrong or given twice; the
        message names the file, the row and the column.
    """
    table = read_table(path, "manifest", COLUMNS, ManifestError)
    folder = str(Path(path).parent)
    rows = keep(_row(cells, path, number, folder) for number, cells in enumerate(table, start=1))
    if not rows:
        raise ManifestError(f"{path}: the manifest has no rows")
    _refuse_duplicates(rows, path)
    return rows


def write_manifest(path: str | Path, rows: Sequence[Row]) -> None:
    """Write `rows` to the manifest `path`, whole or not at all (replacing it).

    Paths of images below the manifest's folder are written relative to it, others absolute.

    Parameters
    ----------
    path : str or Path
    rows : sequence of Row

    Raises
    ------
    ManifestError
        Two rows have the same path.
    """
    _refuse_duplicates(rows, path)
    write_csv(path, COLUMNS, cells(rows, Path(path).parent))


def cells(rows: Iterable[Row], folder: str | Path) -> Iterator[tuple[object, ...]]:
    """Return an iterator over the cells of `rows` in a manifest in `folder`.

    Parameters
    ----------
    rows : iterable of Row
    folder : str or Path

    Returns
    -------
    iterator of tuple
        One item per row, in the order of `COLUMNS`.
    """
    absolute = os.path.abspath(folder)
    return (_cells(row, absolute) for row in rows)


def _row(cells: dict[str, str], path: str | Path, number: int, folder: str) -> Row:
    def wrong(column: str, what: object) -> ManifestError:
        return ManifestError(f"{path}: row {number}: column {column!r}: {what}")

    for column in COLUMNS:
        if cells[column] is None:
            raise wrong(column, "missing, the row is too short")
    if None in cells:
        raise ManifestError(f"{path}: row {number}: more cells than the header has columns")
    if not cells["path"].strip():
        raise wrong("path", "empty")
    if cells["route"] not in ROUTES:
        known = ", ".join(ROUTES[:-1])
        raise wrong("route", f"{shown(cells['route'])}; wanted one of {known}, or none")

    def points(column: str) -> NDArray[np.float64] | None:
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


def _points(text: str) -> NDArray[np.float64] | None:
    words = text.split()
    if not words:
        return None
    if len(words) != 10:
        raise ValueError(f"{len(words)} numbers; wanted 10 (x y of five points)")
    points = finite_numbers(words)
    if not points.size:
        raise ValueError(f"{shown(text)} is not 10 finite numbers")
    return points.reshape(5, 2)


def _refuse_duplicates(rows: Sequence[Row], path: str | Path) -> None:
    hashes = (hash(os.path.normpath(row.path)) for row in rows)
    if len(np.unique(np.fromiter(hashes, np.int64, len(rows)))) == len(rows):
        return
    first: dict[str, int] = {}
    for number, row in enumerate(rows, start=1):
        seen = first.setdefault(os.path.normpath(row.path), number)
        if seen != number:
            raise ManifestError(
                f"{path}: row {number}: column 'path': {row.path} is in row {seen} already"
            )


def _cells(row: Row, folder: str) -> tuple[object, ...]:
    def image(name: str) -> str:
        full = os.path.abspath(name)
        below = full.startswith(folder + os.sep)
        return full[len(folder) + 1 :] if below else full

    def numbers(points: NDArray[np.float64] | None) -> str:
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
