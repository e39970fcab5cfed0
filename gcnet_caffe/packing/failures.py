"""The faces that could not be packed: a table of all, and a picture to look at."""

import csv
import io
import textwrap
from pathlib import Path

import cv2
import numpy as np

from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.files import atomic, write_text
from gcnet_caffe.packing.pictures import CELL, GAP, blank, caption, framed, photograph, write

TABLE, SHEET = "failures.csv", "failures.png"

_SHOWN = 120  # failures on the sheet; the table has all
_COLUMNS = 2
_LINE, _LINES = 52, 5  # characters of a caption's line, and lines
_CAPTION = 9 * _LINE + 12  # width in pixels
_HEADER = 30


def report_failures(plan, rows, failures, out):
    """Write ``failures.csv`` and ``failures.png`` into `out`; without failures, remove old ones.

    Parameters
    ----------
    plan : Plan
    rows : list of Row
        The manifest's rows with the landmarks that were used.
    failures : dict of int to Failure
        By row, from 0.
    out : Path
    """
    if not failures:
        for name in (TABLE, SHEET):
            Path(out, name).unlink(missing_ok=True)
        return
    failures = dict(sorted(failures.items()))
    write_text(Path(out, TABLE), _table(plan, failures))
    with atomic(Path(out, SHEET), overwrite=True) as scratch:
        scratch.write_bytes(cv2.imencode(".png", _sheet(plan, rows, failures))[1].tobytes())


def _table(plan, failures):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("manifest", "row", "image", "subject", "expression", "reason"))
    for i, (image, reason) in failures.items():
        row = plan.rows[i]
        writer.writerow((*plan.where(i), image, row.subject, row.expression, reason))
    return text.getvalue()


def _sheet(plan, rows, failures):
    shown = list(failures.items())[:_SHOWN]
    blocks = [_block(plan, rows[i], i, failure) for i, failure in shown]
    blocks += [np.full_like(blocks[0], 255)] * (-len(blocks) % _COLUMNS)
    lines = [np.hstack(blocks[i : i + _COLUMNS]) for i in range(0, len(blocks), _COLUMNS)]
    header = blank(_HEADER, lines[0].shape[1])
    first = f"the first {len(shown)} of " if len(shown) < len(failures) else ""
    write(header, f"{first}{len(failures)} rows that could not be packed", (GAP, 20))
    return np.vstack([header, *lines])


def _block(plan, row, number, failure):
    manifest, number = plan.where(number)
    about = f"{Path(manifest).name}, row {number}: {row.subject} {row.expression}"
    what = "" if failure.image == row.path else "reference "
    reason = failure.reason.replace(f"{failure.image}: ", "", 1)
    text = f"{what}{Path(failure.image).name}: {reason}"
    lines = [about, *textwrap.wrap(text, _LINE)][:_LINES]
    return np.hstack([_picture(row, failure.image), caption(lines, _CAPTION)])


def _picture(row, image):
    """The photograph with its landmarks, or a crossed cell where it cannot be read."""
    points = row.landmarks if image == row.path else row.reference_landmarks
    try:
        return photograph(read_grey(image), points)
    except ImageError:
        cell = np.full((CELL, CELL, 3), 220, np.uint8)
        for start, end in (((0, 0), (CELL, CELL)), ((0, CELL), (CELL, 0))):
            cv2.line(cell, start, end, (255, 255, 255), 2, cv2.LINE_AA)
        return framed(cell)
