"""The images of an LMDB as Caffe's TEST phase sees them, and many images as one picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats.datum import decode
from gcnet_caffe.formats.lmdb_file import read_datums, record_name

#: Side in pixels of what Caffe's TEST phase cuts out of a record's centre.
CROP = 64


class Records(NamedTuple):
    """An LMDB as Caffe's TEST phase sees it.

    Attributes
    ----------
    keys : list of str
    labels : (N,) array of int
    images : (N, C, 64, 64) array of float32
        The centre crop times 1/255, values 0..1: channel 0 the query or image, channel 1 the
        reference.
    """

    keys: list[str]
    labels: NDArray[np.int64]
    images: NDArray[np.float32]


def read_images(path: str | Path, suffix: str = "") -> Records:
    """Read the records of an LMDB whose keys end in `suffix`.

    Raises
    ------
    LmdbError
        The LMDB or an image cannot be read, an image is smaller than 64x64 or has other channels
        than those before it, or there is no such record.
    """
    keys: list[str] = []
    labels: list[int] = []
    images: list[NDArray[Any]] = []
    for key, datum in read_datums(path):
        if not key.endswith(suffix.encode()):
            continue
        origin = record_name(path, key)
        image = decode(datum, None, origin)
        channels, height, width = image.shape
        if min(height, width) < CROP:
            raise LmdbError(f"{origin}: {height}x{width} pixels, wanted at least {CROP}x{CROP}")
        if images and channels != len(images[0]):
            raise LmdbError(f"{origin}: {channels} channels, wanted {len(images[0])} as before it")
        images.append(_centre(image))
        keys.append(key.decode(errors="replace"))
        labels.append(datum.label)
    if not keys:
        such = f" with keys ending in {suffix}" if suffix else ""
        raise LmdbError(f"{path}: no records{such}")
    return Records(keys, np.array(labels), as_tested(np.stack(images)))


def as_tested(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return images as Caffe's TEST phase sees them.

    Source: Caffe src/caffe/data_transformer.cpp, Transform.

    Parameters
    ----------
    pixels : (N, C, H, W) array
        Values 0..255; H and W of at least 64.

    Returns
    -------
    (N, C, 64, 64) array of float32
        The centre crop, values 0..1.
    """
    return _centre(pixels).astype(np.float32) * np.float32(1 / 255)


def _centre(pixels: NDArray[Any]) -> NDArray[Any]:
    top, left = ((side - CROP) // 2 for side in pixels.shape[-2:])
    return pixels[..., top : top + CROP, left : left + CROP]


def sheet(rows: Sequence[Sequence[NDArray[np.float32]]], scale: int = 2) -> NDArray[np.uint8]:
    """Return rows of images as one picture, with two white pixels around each image.

    Parameters
    ----------
    rows : sequence of sequences of (64, 64) array
        Values 0..1. All rows are of one length.
    scale : int
        Each pixel becomes `scale` x `scale` of them, at last.

    Returns
    -------
    (H, W) array of uint8
        Grey, 0..255.
    """
    tall = [np.hstack([np.pad(im, 2, constant_values=1) for im in row]) for row in rows]
    picture = (np.vstack(tall) * 255 + 0.5).clip(0, 255).astype(np.uint8)
    return picture.repeat(scale, 0).repeat(scale, 1)
