"""Landmarks for the images of a manifest that have none: detected, in worker processes."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.rows import Rows
from gcnet_caffe.errors import NO_FILE, ImageError
from gcnet_caffe.faces.images import file_state, image_exists, read_grey
from gcnet_caffe.faces.landmarks import Detector, detector_model
from gcnet_caffe.files import sha256
from gcnet_caffe.packing.crops import start_worker
from gcnet_caffe.packing.shards import Failure, Found, Work, landmarks_to_bytes, read_landmarks

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHARD_IMAGES = 64


class Completed(NamedTuple):
    """A manifest's rows with landmarks.

    Attributes
    ----------
    rows : sequence of Row
        All rows, with landmarks if a face was found; the given sequence itself if nothing was to be
        detected.
    failures : dict of int to Failure
        The wanted rows (from 0) with a missing image or without a face.
    routes : dict of str to str
        Image -> where its landmarks come from, unless the row has it.
    """

    rows: Sequence[Row]
    failures: dict[int, Failure]
    routes: dict[str, str]

    def images(self, wanted: Iterable[int], paired: bool) -> Iterator[tuple[str, str]]:
        """Yield (image, route) of each image of some rows once.

        Parameters
        ----------
        wanted : iterable of int
            Rows, from 0.
        paired : bool
            Whether the reference images count too.
        """
        seen = set()
        for row in map(self.rows.__getitem__, wanted):
            for image in _images_of(row, paired):
                if image not in seen:
                    yield image, self.routes.get(image, row.route)
                if image in self.routes:  # any other is the query of one row
                    seen.add(image)


def complete_landmarks(
    rows: Sequence[Row],
    wanted: Sequence[int] | NDArray[np.int64],
    paired: bool,
    work: Work,
    model: str | Path | None = None,
    workers: int = 1,
) -> Completed:
    """Fill in the landmarks of the rows that will be packed.

    Nothing is detected in an image whose landmarks are in any row.

    Parameters
    ----------
    rows : sequence of Row
    wanted : sequence of int
        The rows that will be packed, from 0.
    paired : bool
        Whether their reference images are packed too.
    work : Work
        Keeps what was detected.
    model : str or Path, optional
        The detector's model file; by default the one of the `landmarks` extra.
    workers : int
        Number of processes.

    Returns
    -------
    Completed

    Raises
    ------
    UsageError
        The detector is needed, and there is no model or OpenCV cannot use it.
    """
    lacking, references, reasons = _survey((rows[i] for i in wanted), paired)
    points, routes = _given(rows, references.union(lacking))
    unknown = [path for path in lacking if path not in points and path not in reasons]
    for path, (found, reason) in zip(unknown, _detect(unknown, work, model, workers)):
        if found is None:
            reasons[path] = reason
        else:
            points[path], routes[path] = found, "detected"
    failures = _failures(rows, wanted, paired, reasons) if reasons else {}
    if lacking:
        packed, detected = set(wanted), set(unknown)
        rows = Rows(
            _complete(row, points, paired, detected) if i in packed else row
            for i, row in enumerate(rows)
        )
    return Completed(rows, failures, routes)


def _survey(rows: Iterable[Row], paired: bool) -> tuple[dict[str, None], set[str], dict[str, str]]:
    """Find the images whose row has no landmarks of them, the references, and bad images.

    Returns
    -------
    lacking : dict of str to None
        In their order.
    references : set of str
    reasons : dict of str to str
        Of the images without a file.
    """
    exists = functools.lru_cache(maxsize=2)(image_exists)  # neighbours share their reference
    lacking: dict[str, None] = {}
    references: set[str] = set()
    reasons: dict[str, str] = {}
    for row in rows:
        images = _images_of(row, paired)
        references.update(images[1:])
        for path, landmarks in zip(images, (row.landmarks, row.reference_landmarks)):
            if landmarks is None:
                lacking[path] = None
            if not exists(path):
                reasons[path] = f"{path}: {NO_FILE}"
    return lacking, references, reasons


def _given(
    rows: Sequence[Row], images: AbstractSet[str]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
    """Landmarks and routes in the manifest of `images`; a query's own come before a reference's."""
    points, routes = {}, {}
    columns = (("reference", "reference_landmarks"), ("path", "landmarks")) if images else ()
    for image, landmarks in columns:
        for row in rows:
            known = getattr(row, landmarks)
            if known is not None and getattr(row, image) in images:
                points[getattr(row, image)] = known
                routes[getattr(row, image)] = row.route
    return points, routes


def _failures(
    rows: Sequence[Row],
    wanted: Iterable[int],
    paired: bool,
    reasons: Mapping[str, str],
) -> dict[int, Failure]:
    """The `Failure` of each wanted row with an image in `reasons`: that of its first such image."""
    failures = {}
    for i in wanted:
        failed = [Failure(p, reasons[p]) for p in _images_of(rows[i], paired) if p in reasons]
        if failed:
            failures[int(i)] = failed[0]
    return failures


def _images_of(row: Row, paired: bool) -> tuple[str, ...]:
    """Return the images that packing reads for a row: the query and, of pairs, the reference.

    Parameters
    ----------
    row : Row
    paired : bool
        Whether the reference is packed too.

    Returns
    -------
    tuple of str
    """
    return (row.path, row.reference) if paired and row.reference else (row.path,)


def _complete(
    row: Row, points: Mapping[str, NDArray[np.float64]], paired: bool, detected: AbstractSet[str]
) -> Row:
    """`row` with its landmarks from `points`; `detected` are the images given to the detector."""
    own, reference = row.landmarks, row.reference_landmarks
    if own is not None and (reference is not None or not paired):
        return row
    return row._replace(
        landmarks=points.get(row.path) if own is None else own,
        reference_landmarks=points.get(row.reference) if reference is None else reference,
        route=row.route if detected.isdisjoint(_images_of(row, paired)) else "detected",
    )


def _detect(
    images: Sequence[str], work: Work, model: str | Path | None, workers: int
) -> Iterator[Found]:
    """Yield what was found in each image."""
    if not images:
        return
    model = detector_model(model)
    Detector(model)  # a bad model is one clear error here; in the workers it would kill them
    total = len(images)
    with tqdm(desc="finding faces", total=total, unit="image", smoothing=0, disable=None) as bar:
        tasks = _tasks(images, sha256(model))
        shards = work.make("landmarks", tasks, _detect_some, bar, workers, _start, (model,))
    yield from read_landmarks(shards)


def _tasks(images: Sequence[str], model: str) -> Iterator[tuple[int, str, Sequence[str]]]:
    for first in range(0, len(images), _SHARD_IMAGES):
        group = images[first : first + _SHARD_IMAGES]
        states = [(path, file_state(path)) for path in group]
        text = json.dumps([model, cv2.__version__, states])
        yield len(group), hashlib.sha256(text.encode()).hexdigest(), group


_detector: Detector  # of a worker process


def _start(model: Path) -> None:
    global _detector
    start_worker()
    _detector = Detector(model)


def _detect_some(images: Sequence[str]) -> bytes:
    return landmarks_to_bytes(_detect_one(path) for path in images)


def _detect_one(path: str) -> Found:
    try:
        return _detector.five_points(read_grey(path), path), ""
    except ImageError as error:
        return None, str(error)
