"""What a database holds, as a Data layer needs to know before it reads it batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats.databases import open_database
from gcnet_caffe.formats.datum import Shape, decode, header_shape
from gcnet_caffe.formats.lmdb_file import parse_datum, record_name

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Survey(NamedTuple):
    """What is known of an LMDB whose encoded images are not all decoded.

    Attributes
    ----------
    labels : (N,) array of int64
    keys : list of bytes
    shapes : dict
        (shape, whether the image is encoded) -> number of the first such record. Of the encoded
        images after the first batch, only those whose header says their shape.
    """

    source: str
    labels: NDArray[np.int64]
    keys: list[bytes]
    shapes: dict[tuple[Shape, bool], int]

    @property
    def first_shape(self) -> Shape:
        """The shape of the first record."""
        return next(iter(self.shapes))[0]

    def name(self, index: int) -> str:
        """Return what errors call a record."""
        return record_name(self.source, self.keys[index])


def read_survey(source: str, color: bool | None, batch_size: int, leveldb: bool = False) -> Survey:
    """Read the records of the database at `source`, and decode the images of the first batch.

    Training starts with that batch; of the other encoded images only the headers are read.

    Parameters
    ----------
    source : str
    color : bool or None
        See `datum.decode`.
    batch_size : int
    leveldb : bool
        Whether it is a LEVELDB.

    Raises
    ------
    LmdbError
        It cannot be read, has no records, or what a Data layer cannot take.
    """
    labels: list[int] = []
    keys: list[bytes] = []
    shapes: dict[tuple[Shape, bool], int] = {}
    for key, value in open_database(source, leveldb).records():
        datum, name = parse_datum(value, source, key), record_name(source, key)
        shape = header_shape(datum, color, name)
        if len(keys) < batch_size:
            shape = decode(datum, color, name).shape
        if shape is not None:
            shapes.setdefault((shape, datum.encoded), len(keys))
        keys.append(key)
        labels.append(datum.label)
    if not keys:
        raise LmdbError(f"{source}: has no records")
    return Survey(source, np.array(labels), keys, shapes)


def read_images(
    source: str, color: bool | None, leveldb: bool
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield what errors call each record of a database, and its image; see `read_survey`."""
    for key, value in open_database(source, leveldb).records():
        name = record_name(source, key)
        yield name, decode(parse_datum(value, source, key), color, name)
