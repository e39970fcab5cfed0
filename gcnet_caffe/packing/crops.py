"""From manifest rows to crops: the part of packing that runs in worker processes.

A shard of crops is an array of records (`record_type`), the copies of a row side by side and the
rows in their order, and after it the failures as JSON. The records of a row that failed are zeros.
"""

import functools
import hashlib
import json
import zlib
from typing import NamedTuple

import cv2
import numpy as np

from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.align import SIZE
from gcnet_caffe.faces.augment import draw, face_crop
from gcnet_caffe.faces.images import file_state, read_grey
from gcnet_caffe.faces.landmarks import check_points


class Job(NamedTuple):
    """The records of one manifest row.

    `row` is its place in the manifest, from 0; `images` are (path, points) of the query and, in
    pairs, of the reference; `copies` is the number of records, the first not augmented.
    """

    row: int
    images: tuple
    copies: int


class Failure(NamedTuple):
    """Why a row cannot be packed: the image, and the reason, which names it."""

    image: str
    reason: str


def start_worker():
    """Prepare a worker process: the processes share the work, their threads must not."""
    cv2.setNumThreads(1)


def record_type(channels):
    """One record of a shard: (channels, 66, 66) grey values and their CRC-32."""
    return np.dtype([("crc", "<u4"), ("pixels", "u1", (channels, SIZE, SIZE))])


def jobs_digest(jobs):
    """A digest of what the crops of `jobs` depend on, beside the settings: see `Work`."""
    digest = hashlib.sha256()
    for job in jobs:
        digest.update(f"{job.row} {job.copies}\n".encode())
        for path, points in job.images:
            digest.update(f"{path} {file_state(path)}\n".encode("utf-8", "surrogateescape"))
            digest.update(np.asarray(points, "<f8").tobytes())
    return digest.hexdigest()


def make_shard(task):
    """Make the records of some jobs; an image that neighbours share is read once.

    Parameters
    ----------
    task : (int, int, sequence of Job)
        The seed, the number of channels, and the jobs.

    Returns
    -------
    bytes
    """
    seed, channels, jobs = task
    read = functools.lru_cache(maxsize=2)(read_grey)
    records = np.zeros(sum(job.copies for job in jobs), record_type(channels))
    failures, first = {}, 0
    for job in jobs:
        failure = _fill(records[first : first + job.copies], job, seed, read)
        if failure:
            failures[job.row] = failure
        first += job.copies
    return records.tobytes() + json.dumps(failures).encode()


def _fill(records, job, seed, read):
    """Make the crops of one job; return its `Failure`, or None."""
    faces = []
    for path, points in job.images:
        try:
            faces.append((load_face(path, points, read), points))
        except ImageError as error:
            return Failure(path, str(error))
    for copy, record in enumerate(records):
        drawn = draw(seed, job.row, copy)
        for channel, (image, points) in enumerate(faces):
            record["pixels"][channel] = face_crop(image, points, drawn)
        record["crc"] = zlib.crc32(record["pixels"])
    return None


def load_face(path, points, read=read_grey):
    """Read the image `path` and check that `points` are the landmarks of a face in it.

    Raises
    ------
    ImageError
        The message names the file, and the landmark that is wrong.
    """
    image = read(path)
    try:
        check_points(points, image)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    return image
