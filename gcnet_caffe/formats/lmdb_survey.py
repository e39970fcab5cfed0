"""What an LMDB holds, as a Data layer needs to know before it reads it batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats.datum import Shape, decode, header_shape
from gcnet_caffe.formats.lmdb_file import read_datums, record_name


class Survey(NamedTuple):
    """What is known of an LMDB whose encoded images are not all decoded.

    Attributes
    ----------
    labels : (N,) array of int64
    keys : list of bytes
    shapes : dict
        Each (C, H, W), and whether it is of an encoded image -> the first such record's number; of
        the encoded images after the first batch, those whose header says it.
    """

    source: str
    labels: np.ndarray
    keys: list[bytes]
    shapes: dict[tuple[Shape, bool], int]

    @property
    def first_shape(self) -> Shape:
        """The shape of the first record."""
        return next(iter(self.shapes))[0]

    def name(self, index: int) -> str:
        """Return what errors call a record."""
        return record_name(self.source, self.keys[index])


def read_survey(source: str, color: bool | None, batch_size: int) -> Survey:
    """Read the records of the LMDB at `source`, and decode the first batch, as training does to
    start; of other encoded images only the headers are read.

    Parameters
    ----------
    color : bool or None
        See `datum.decode`.
    batch_size : int

    Raises
    ------
    LmdbError
        It cannot be read, holds no records, or what a Data layer cannot take.
    """
    labels, keys, shapes = [], [], {}
    for key, datum in read_datums(source):
        name = record_name(source, key)
        shape = header_shape(datum, color, name)
        if len(keys) < batch_size:
            shape = decode(datum, color, name).shape
        if shape is not None:
            shapes.setdefault((shape, datum.encoded), len(keys))
        keys.append(key)
        labels.append(datum.label)
    if not keys:
        raise LmdbError(f"{source}: holds no records")
    return Survey(source, np.array(labels), keys, shapes)


def read_images(source: str, color: bool | None) -> Iterator[tuple[str, np.ndarray]]:
    """Yield what errors call each record of the LMDB at `source`, and its image (see `decode`)."""
    for key, datum in read_datums(source):
        name = record_name(source, key)
        yield name, decode(datum, color, name)
