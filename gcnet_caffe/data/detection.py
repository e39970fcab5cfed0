"""Landmarks for the images of a manifest that have none: detected, in worker processes."""

from tqdm import tqdm

from gcnet_caffe.data.faces import start_worker
from gcnet_caffe.data.images import image_exists, read_grey
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
    images = {i: _images(rows[i], paired) for i in wanted}
    distinct = list(dict.fromkeys(path for paths in images.values() for path in paths))
    reasons = {path: f"{path}: no such image file" for path in distinct if not image_exists(path)}
    unknown = [path for path in distinct if path not in points and path not in reasons]
    for path, (found, reason) in zip(unknown, _detect(unknown, model, workers)):
        points[path] = found
        if reason:
            reasons[path] = reason
    rows, failures, unknown = list(rows), {}, set(unknown)
    for i, paths in images.items():
        rows[i] = _complete(rows[i], points, paired, not unknown.isdisjoint(paths))
        failed = [reasons[path] for path in paths if path in reasons]
        if failed:
            failures[i] = failed[0]
    return rows, failures


def _given(rows):
    """The landmarks in the manifest, by image; a query's own come before a reference's."""
    points = {row.reference: row.reference_landmarks for row in rows}
    points.update((row.path, row.landmarks) for row in rows if row.landmarks is not None)
    return {path: known for path, known in points.items() if known is not None}


def _images(row, paired):
    return (row.path, row.reference) if paired and row.reference else (row.path,)


def _complete(row, points, paired, detected):
    own, reference = row.landmarks, row.reference_landmarks
    if own is not None and (reference is not None or not paired):
        return row
    return row._replace(
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
