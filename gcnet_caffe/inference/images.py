"""Centre-cropped images of an LMDB, and how well generated ones match them."""

from typing import NamedTuple

import numpy as np

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats.lmdb_file import read_datums

CROP = 64


class Records(NamedTuple):
    """An LMDB as Caffe's TEST phase sees it.

    `keys` are strings; `labels` is (N,) int; `images` is (N, C, 64, 64) float32, values 0..1: the
    centre crop times 1/255, channel 0 the query or image, channel 1 the reference.
    """

    keys: list
    labels: np.ndarray
    images: np.ndarray


def read_images(path, suffix=""):
    """Read the records of the LMDB folder `path` whose keys end in `suffix` into `Records`."""
    keys, labels, images = [], [], []
    for key, datum in read_datums(path):
        if not key.decode().endswith(suffix):
            continue
        shape = datum.channels, datum.height, datum.width
        if min(shape[1:]) < CROP:
            raise LmdbError(f"{path}: record {key!r} is {shape}, wanted at least 64x64")
        images.append(_centre(np.frombuffer(datum.data, np.uint8).reshape(shape)))
        keys.append(key.decode())
        labels.append(datum.label)
    if not keys:
        such = f" with keys ending in {suffix}" if suffix else ""
        raise LmdbError(f"{path}: holds no records{such}")
    return Records(keys, np.array(labels), as_tested(np.stack(images)))


def as_tested(pixels):
    """Return images as Caffe's TEST phase sees them.

    Source: Caffe src/caffe/data_transformer.cpp, Transform.

    Parameters
    ----------
    pixels : (N, C, H, W) array of uint8
        H and W of at least 64.

    Returns
    -------
    (N, C, 64, 64) array of float32
        The centre crop, values 0..1.
    """
    return _centre(pixels).astype(np.float32) * np.float32(1 / 255)


def _centre(pixels):
    top, left = ((side - CROP) // 2 for side in pixels.shape[-2:])
    return pixels[..., top : top + CROP, left : left + CROP]


def sheet(rows, scale=2, gap=2):
    """Return rows of images (each a list of (64, 64) arrays, 0..1) as one uint8 picture."""
    tall = [np.hstack([np.pad(im, gap, constant_values=1) for im in row]) for row in rows]
    picture = np.clip(np.vstack(tall) * 255 + 0.5, 0, 255).astype(np.uint8)
    return picture.repeat(scale, 0).repeat(scale, 1)
