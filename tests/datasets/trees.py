"""Helpers of the readers' tests: files of a miniature tree, and rows that can be compared."""

import cv2
import numpy as np

from gcnet_caffe.datasets.manifest import Row


def picture(path, shade=90, size=(12, 10)):
    """Write a small grey image (height, width), and a .DS_Store beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full(size, shade, np.uint8))
    (path.parent / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (path.parent / f"._{path.name}").write_bytes(b"\0\5\26\7")


def plain(rows, root):
    """Return whole rows that `==` compares: paths below `root`, landmarks as `plain_points`."""
    return [
        row._replace(
            path=row.path.removeprefix(f"{root}/"),
            reference=row.reference.removeprefix(f"{root}/"),
            landmarks=plain_points(row.landmarks),
            reference_landmarks=plain_points(row.reference_landmarks),
        )
        for row in rows
    ]


def plain_points(landmarks):
    """Return landmarks as lists, to 1e-4 pixel."""
    return None if landmarks is None else np.round(landmarks, 4).tolist()


def sequence_of(name, subject, expression, frames, source):
    """Return the plain rows of a sequence without landmarks, its first frame the reference.

    `name` is the sequence's; `frames` are (rank, path).
    """
    return [
        Row(
            path=path,
            subject=subject,
            expression=expression if rank else "neutral",
            reference=frames[0][1],
            sequence=name,
            rank=rank,
            source=source,
        )
        for rank, path in frames
    ]


def still(path, expression, source, landmarks=None):
    """The plain row to expect of an image in the wild: no subject, no reference."""
    route = "annotation" if landmarks else ""
    return Row(path, "", expression, source=source, landmarks=landmarks, route=route)
