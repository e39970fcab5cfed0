"""Landmarks for the images of a manifest that have none: detected, in worker processes."""

import functools
import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from gcnet_caffe.datasets.rows import Rows
from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.images import file_state, image_exists, read_grey
from gcnet_caffe.faces.landmarks import Detector, detector_model
from gcnet_caffe.packing.crops import Failure, start_worker

_SHARD_IMAGES = 64


class Completed(NamedTuple):
    """A manifest's rows with landmarks.

    `rows` are all of them, with landmarks where a face was found, the very ones given where all
    have theirs; `failures` are those of wanted rows (row from 0 -> `Failure`) with a missing image
    or no face; `routes` tells where landmarks come from (image -> route), where not the row does.
    """

    rows: list
    failures: dict
    routes: dict

    def images(self, wanted, paired):
        """Yield each image of the `wanted` rows once, and where its landmarks come from."""
        seen = set()
        for row in map(self.rows.__getitem__, wanted):
            for image in images_of(row, paired):
                if image not in self.routes:  # a query, and no reference: in one row only
                    yield image, row.route
                elif image not in seen:
                    seen.add(image)
                    yield image, self.routes[image]


def complete_landmarks(rows, wanted, paired, work, model=None, workers=1):
    """Fill in the landmarks of the rows that will be packed.

    An image whose landmarks stand in any row is not detected again.

    Parameters
    ----------
    rows : sequence of Row
    wanted : sequence of int
        The places of the rows that matter, from 0.
    paired : bool
        Whether the reference images matter too.
    work : Work
        Keeps what was detected.
    model : str or Path, optional
        The detector's model file; by default the one of the `landmarks` extra.
    workers : int

    Returns
    -------
    Completed
    """
    lacking, references, reasons = _survey((rows[i] for i in wanted), paired)
    points, routes = _given(rows, references.union(lacking))
    unknown = [path for path in lacking if path not in points and path not in reasons]
    for path, (found, reason) in zip(unknown, _detect(unknown, work, model, workers)):
        if reason:
            reasons[path] = reason
        else:
            points[path], routes[path] = found, "detected"
    failures = _failures(rows, wanted, paired, reasons) if reasons else {}
    if lacking:
        wanted, unknown = set(wanted), set(unknown)
        complete = functools.partial(_complete, points=points, paired=paired, detected=unknown)
        rows = Rows(complete(row) if i in wanted else row for i, row in enumerate(rows))
    return Completed(rows, failures, routes)


def _survey(rows, paired):
    """What there is to do: images whose row has no landmarks of them, references, bad images.

    Returns
    -------
    lacking : dict of str to None
        In their order.
    references : set of str
    reasons : dict of str to str
        Of the images without a file.
    """
    exists = functools.lru_cache(maxsize=2)(image_exists)  # neighbours share their reference
    lacking, references, reasons = {}, set(), {}
    for row in rows:
        images = images_of(row, paired)
        references.update(images[1:])
        for path, landmarks in zip(images, (row.landmarks, row.reference_landmarks)):
            if landmarks is None:
                lacking[path] = None
            if not exists(path):
                reasons[path] = f"{path}: no such image file"
    return lacking, references, reasons


def _given(rows, images):
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


def _failures(rows, wanted, paired, reasons):
    """The `Failure` of each wanted row of which an image is one of `reasons`: the first of them."""
    failures = {}
    for i in wanted:
        failed = [Failure(p, reasons[p]) for p in images_of(rows[i], paired) if p in reasons]
        if failed:
            failures[int(i)] = failed[0]
    return failures


def images_of(row, paired):
    """The images that packing reads for a row: the query and, where it matters, the reference."""
    return (row.path, row.reference) if paired and row.reference else (row.path,)


def _complete(row, points, paired, detected):
    """`row` with its landmarks from `points`; `detected` are the images looked for faces in."""
    own, reference = row.landmarks, row.reference_landmarks
    if own is not None and (reference is not None or not paired):
        return row
    return row._replace(
        landmarks=points.get(row.path) if own is None else own,
        reference_landmarks=points.get(row.reference) if reference is None else reference,
        route=row.route if detected.isdisjoint(images_of(row, paired)) else "detected",
    )


def _detect(images, work, model, workers):
    """Yield (points, "") or (None, reason) of each image."""
    if not images:
        return
    model = detector_model(model)
    Detector(model)  # a bad model is one clear error here, and a dead worker there
    total = len(images)
    with tqdm(desc="finding faces", total=total, unit="image", smoothing=0, disable=None) as bar:
        tasks = _tasks(images, hashlib.sha256(Path(model).read_bytes()).hexdigest())
        shards = work.make("landmarks", tasks, _detect_some, bar, workers, _start, (model,))
    for path in shards:
        for points, reason in json.loads(path.read_bytes()):
            yield points and np.array(points), reason


def _tasks(images, model):
    for first in range(0, len(images), _SHARD_IMAGES):
        group = images[first : first + _SHARD_IMAGES]
        states = [(path, file_state(path)) for path in group]
        text = json.dumps([model, cv2.__version__, states])
        yield len(group), hashlib.sha256(text.encode()).hexdigest(), group


_detector = None  # of a worker process


def _start(model):
    global _detector
    start_worker()
    _detector = Detector(model)


def _detect_some(images):
    return json.dumps([_detect_one(path) for path in images]).encode()


def _detect_one(path):
    """(points, "") or (None, reason)."""
    try:
        image = read_grey(path)
    except ImageError as error:
        return None, str(error)
    try:
        return _detector.five_points(image).tolist(), ""
    except ImageError as error:
        return None, f"{path}: {error}"
