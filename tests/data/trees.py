"""Helpers of the readers' tests: files of a miniature tree, and rows as plain tuples."""

import cv2
import numpy as np


def picture(path, shade=90, size=(12, 10)):
    """Write a small grey image (height, width), and a .DS_Store beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(size, shade, np.uint8))
    (path.parent / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (path.parent / f"._{path.name}").write_bytes(b"\0\5\26\7")


def plain(rows, root):
    """Return (path, subject, expression, reference, sequence, rank, source), paths below `root`."""
    return [
        (
            row.path.removeprefix(f"{root}/"),
            row.subject,
            row.expression,
            row.reference.removeprefix(f"{root}/"),
            row.sequence,
            row.rank,
            row.source,
        )
        for row in rows
    ]
