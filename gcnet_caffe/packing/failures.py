"""The faces that could not be packed: a table of all, and a contact sheet of the first ones."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.files import write_csv
from gcnet_caffe.packing.pictures import (
    CELL,
    GAP,
    blank,
    caption,
    framed,
    photograph,
    save,
    write,
)
from gcnet_caffe.packing.plan import Plan
from gcnet_caffe.packing.shards import Failure

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLE, SHEET = "failures.csv", "failures.png"

_SHOWN = 120  # failures on the sheet; the table has all
_COLUMNS = 2
_LINE, _LINES = 52, 5  # characters of a caption's line, and lines
_CAPTION = 9 * _LINE + 12  # width in pixels
_HEADER = 30


def report_failures(
    plan: Plan, rows: Sequence[Row], failures: Mapping[int, Failure], out: Path
) -> None:
    """Write ``failures.csv`` and ``failures.png`` into `out`; without failures, remove old ones.

    Parameters
    ----------
    plan : Plan
    rows : sequence of Row
        The manifest's rows with the landmarks that were used.
    failures : dict of int to Failure
        By row, from 0.
    out : Path
        The output folder.
    """
    if not failures:
        for name in (TABLE, SHEET):
            (out / name).unlink(missing_ok=True)
        return
    ordered = sorted(failures.items())
    columns = ("manifest", "row", "image", "subject", "expression", "reason")
    write_csv(out / TABLE, columns, (_cells(plan, i, failure) for i, failure in ordered))
    save(_sheet(plan, rows, ordered), out / SHEET)


def _cells(plan: Plan, number: int, failure: Failure) -> tuple[object, ...]:
    row = plan.rows[number]
    return (*plan.where(number), failure.image, row.subject, row.expression, failure.reason)


def _sheet(
    plan: Plan, rows: Sequence[Row], failures: Sequence[tuple[int, Failure]]
) -> NDArray[np.uint8]:
    shown = failures[:_SHOWN]
    blocks = [_block(plan, rows[i], i, failure) for i, failure in shown]
    blocks += [np.full_like(blocks[0], 255)] * (-len(blocks) % _COLUMNS)
    lines = [np.hstack(blocks[i : i + _COLUMNS]) for i in range(0, len(blocks), _COLUMNS)]
    header = blank(_HEADER, lines[0].shape[1])
    first = f"the first {len(shown)} of " if len(shown) < len(failures) else ""
    write(header, f"{first}{len(failures)} rows that could not be packed", (GAP, 20))
    return np.vstack([header, *lines])


def _block(plan: Plan, row: Row, number: int, failure: Failure) -> NDArray[np.uint8]:
    manifest, place = plan.where(number)
    about = f"{Path(manifest).name}, row {place}: {row.subject} {row.expression}"
    what = "" if failure.image == row.path else "reference "
    reason = failure.reason.replace(f"{failure.image}: ", "", 1)
    text = f"{what}{Path(failure.image).name}: {reason}"
    lines = [about, *textwrap.wrap(text, _LINE)][:_LINES]
    return np.hstack([_picture(row, failure.image), caption(lines, _CAPTION)])


def _picture(row: Row, image: str) -> NDArray[np.uint8]:
    """The photograph with its landmarks, or a crossed cell if it cannot be read."""
    points = row.landmarks if image == row.path else row.reference_landmarks
    try:
        return photograph(read_grey(image), points)
    except ImageError:
        cell = np.full((CELL, CELL, 3), 220, np.uint8)
        centre, white = (CELL // 2, CELL // 2), (255, 255, 255)
        cv2.drawMarker(cell, centre, white, cv2.MARKER_TILTED_CROSS, CELL, 2, cv2.LINE_AA)
        return framed(cell)
