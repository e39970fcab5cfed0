"""From manifest rows to Datums: the part of packing that runs in worker processes."""

import functools
from typing import NamedTuple

import cv2

from gcnet_caffe.data.align import SIZE
from gcnet_caffe.data.augment import draw, face_crop
from gcnet_caffe.data.images import read_grey
from gcnet_caffe.data.landmarks import check_points
from gcnet_caffe.errors import ImageError
from gcnet_caffe.schema import caffe_pb


class Job(NamedTuple):
    """The records of one manifest row.

    `row` is its place in the manifest, from 0; `images` are (path, points) of the query and, in
    pairs, of the reference; `copies` is the number of records, the first not augmented.
    """

    row: int
    images: tuple
    label: int
    copies: int


class Made(NamedTuple):
    """What became of a job: serialised Datums, or the reason why there are none."""

    row: int
    datums: list
    failure: str


def start_worker():
    """Prepare a worker process: the processes share the work, their threads must not."""
    cv2.setNumThreads(1)


def make_datums(task):
    """Make the Datums of some jobs; an image that neighbours share is read once.

    Parameters
    ----------
    task : (int, sequence of Job)
        The seed, and the jobs.

    Returns
    -------
    list of Made
    """
    seed, jobs = task
    read = functools.lru_cache(maxsize=2)(read_grey)
    made = []
    for job in jobs:
        try:
            made.append(Made(job.row, _datums(job, seed, read), ""))
        except ImageError as error:
            made.append(Made(job.row, [], str(error)))
    return made


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


def _datums(job, seed, read):
    faces = [(load_face(path, points, read), points) for path, points in job.images]
    return [_datum(faces, draw(seed, job.row, copy), job.label) for copy in range(job.copies)]


def _datum(faces, drawn, label):
    pixels = b"".join(face_crop(image, points, drawn).tobytes() for image, points in faces)
    return caffe_pb.Datum(
        channels=len(faces), height=SIZE, width=SIZE, data=pixels, label=label
    ).SerializeToString()
