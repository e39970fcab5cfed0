"""Landmarks for the images of a manifest that have none: detected, in worker processes."""

import os
from dataclasses import replace

from tqdm import tqdm

from gcnet_caffe.data.faces import start_worker
from gcnet_caffe.data.images import read_grey
from gcnet_caffe.data.landmarks import Detector, detector_model
from gcnet_caffe.data.parallel import ordered_map
from gcnet_caffe.errors import ImageError


def complete_landmarks(rows, wanted, paired, model=None, workers=1):
    """Fill in the landmarks of the rows that will be packed.

    An image whose landmarks stand in any row is not detected again.

    Parameters
    ----------
    rows : list of Row
    wanted : sequence of int
        The places of the rows that matter, from 0.
    paired : bool
        Whether the reference images matter too.
    model : str or Path, optional
        The detector's model file; by default the one of the `landmarks` extra.
    workers : int

    Returns
    -------
    rows : list of Row
        All of them; where a face was found, with landmarks.
    failures : dict of int to str
        Row -> reason, for wanted rows with a missing image or no face.
    """
    points = _given(rows)
    images = _images(rows, wanted, paired)
    missing = {path for path in images if not os.path.isfile(path)}
    unknown = [path for path in images if path not in points and path not in missing]
    reasons = {path: f"{path}: no such image file" for path in missing}
    for path, (found, reason) in zip(unknown, _detect(unknown, model, workers)):
        points[path] = found
        if reason:
            reasons[path] = reason
    rows, failures = list(rows), {}
    for i in wanted:
        images = _images(rows, [i], paired)
        rows[i] = _with_landmarks(rows[i], points, detected=not set(images).isdisjoint(unknown))
        for path in images:
            if path in reasons:
                failures.setdefault(i, reasons[path])
    return rows, failures


def _given(rows):
    points = {row.reference: row.reference_landmarks for row in rows}
    points.update((row.path, row.landmarks) for row in rows if row.landmarks is not None)
    return {path: known for path, known in points.items() if known is not None}


def _images(rows, wanted, paired):
    """The distinct images of the wanted rows, in order."""
    images = {}
    for i in wanted:
        images[rows[i].path] = None
        if paired and rows[i].reference:
            images[rows[i].reference] = None
    return list(images)


def _with_landmarks(row, points, detected):
    own, reference = row.landmarks, row.reference_landmarks
    return replace(
        row,
        landmarks=points.get(row.path) if own is None else own,
        reference_landmarks=points.get(row.reference) if reference is None else reference,
        route="detected" if detected else row.route,
    )


def _detect(images, model, workers):
    if not images:
        return
    model = detector_model(model)
    Detector(model)  # a bad model is one clear error here, and a dead worker there
    tasks = ordered_map(_detect_one, images, workers, _start, (model,))
    yield from tqdm(tasks, "finding faces", total=len(images), unit="image", disable=None)


_detector = None  # of a worker process


def _start(model):
    global _detector
    start_worker()
    _detector = Detector(model)


def _detect_one(path):
    """(points, "") or (None, reason)."""
    try:
        image = read_grey(path)
    except ImageError as error:
        return None, str(error)
    try:
        return _detector.five_points(image), ""
    except ImageError as error:
        return None, f"{path}: {error}"
