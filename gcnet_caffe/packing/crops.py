"""From manifest rows to crops: the part of packing that runs in worker processes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.augment import draw, face_crop
from gcnet_caffe.faces.images import file_state, read_grey
from gcnet_caffe.faces.landmarks import points_fault
from gcnet_caffe.packing.shards import Failure, crops_to_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    #: Reads an image file as grey.
    _Read = Callable[[str], NDArray[np.uint8]]


class RowFaces(NamedTuple):
    """The faces of one manifest row.

    Attributes
    ----------
    row : int
        Its place in the manifest, from 0.
    images : tuple of (path, points)
        The query and, in pairs, the reference; points are (5, 2) ndarrays.
    copies : int
        How many crops of each face, the first not augmented.
    """

    row: int
    images: tuple[tuple[str, NDArray[np.float64]], ...]
    copies: int


def start_worker() -> None:
    """Prepare a worker process: the processes share the work, so each needs one thread only."""
    cv2.setNumThreads(1)


def faces_digest(rows: Iterable[RowFaces]) -> str:
    """Return a digest of what the crops of some rows depend on, besides the settings.

    Parameters
    ----------
    rows : iterable of RowFaces

    Returns
    -------
    str
    """
    digest = hashlib.sha256()
    for row in rows:
        digest.update(f"{row.row} {row.copies}\n".encode())
        for path, points in row.images:
            digest.update(f"{path} {file_state(path)}\n".encode("utf-8", "surrogateescape"))
            digest.update(np.asarray(points, "<f8").tobytes())
    return digest.hexdigest()


def make_shard(task: tuple[int, bool, int, Sequence[RowFaces]]) -> bytes:
    """Make the crops of some rows; an image that neighbours share is read once.

    Parameters
    ----------
    task : (int, bool, int, sequence of RowFaces)
        The seed, whether light and sharpness vary too, the number of channels, and the rows.

    Returns
    -------
    bytes
        The content of their shard.
    """
    seed, photometric, channels, rows = task
    read = functools.lru_cache(maxsize=2)(read_grey)
    crops: list[NDArray[np.uint8] | None] = []
    failures: dict[int, Failure] = {}
    for row in rows:
        made = _crops(row, seed, photometric, read)
        if isinstance(made, Failure):
            failures[row.row] = made
            crops += [None] * row.copies
        else:
            crops += made
    return crops_to_bytes(crops, channels, failures)


def _crops(
    row: RowFaces, seed: int, photometric: bool, read: _Read
) -> list[NDArray[np.uint8]] | Failure:
    """The crops (channels, 66, 66) of one row, or why there are none."""
    faces = []
    for path, points in row.images:
        try:
            faces.append((load_face(path, points, read), points))
        except ImageError as error:
            return Failure(path, str(error))
    draws = [draw(seed, row.row, copy, photometric) for copy in range(row.copies)]
    return [
        np.stack([face_crop(*face, drawn, place) for place, face in enumerate(faces)])
        for drawn in draws
    ]


def load_face(path: str, points: NDArray[np.float64], read: _Read = read_grey) -> NDArray[np.uint8]:
    """Read an image and check that `points` are the landmarks of a face in it.

    Parameters
    ----------
    path : str
    points : (5, 2) ndarray
        x, y in pixels.
    read : callable
        Takes a path, returns the grey image.

    Returns
    -------
    (H, W) ndarray of uint8
        0..255.

    Raises
    ------
    ImageError
        The message says which file, and which landmark is wrong.
    """
    image = read(path)
    fault = points_fault(points, image)
    if fault:
        raise ImageError(f"{path}: {fault}")
    return image
