"""The records of an LMDB, held in memory or read when they are needed."""

from typing import NamedTuple

import cv2
import numpy as np
import torch

from gcnet_caffe.data.lmdb_file import open_lmdb, parse_datum
from gcnet_caffe.errors import LmdbError


class FeedOptions(NamedTuple):
    """How Data layers hold their records.

    Attributes
    ----------
    limit_bytes : int
        A larger LMDB is read record by record, through LMDB's own memory map.
    device : torch.device or None
        Where records in memory lie; None is the CPU.
    """

    limit_bytes: int = 4 << 30
    device: object = None


def decode(datum, color, origin):
    """Return the image of a Datum: (C, H, W), uint8, or float32 where it holds `float_data`.

    Parameters
    ----------
    color : bool or None
        An encoded image is made BGR (true), grey (false), or left as it is.
    origin : str
        Names the record in errors.

    Raises
    ------
    LmdbError
        The sizes do not fit the data, or an encoded image cannot be decoded.
    """
    if datum.encoded:
        flags = {True: cv2.IMREAD_COLOR, False: cv2.IMREAD_GRAYSCALE, None: cv2.IMREAD_UNCHANGED}
        bytes_ = np.frombuffer(datum.data, np.uint8)
        image = cv2.imdecode(bytes_, flags[color]) if len(bytes_) else None
        if image is None or image.dtype != np.uint8:
            raise LmdbError(f"{origin}: an encoded image that cannot be decoded")
        return image[None] if image.ndim == 2 else np.ascontiguousarray(image.transpose(2, 0, 1))
    shape = (datum.channels, datum.height, datum.width)
    data = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, "f4")
    if min(shape) < 1 or data.size != shape[0] * shape[1] * shape[2]:
        raise LmdbError(
            f"{origin}: {data.size} values, wanted channels x height x width = "
            f"{shape[0]} x {shape[1]} x {shape[2]}"
        )
    return data.reshape(shape)


class Records:
    """The images and labels of the LMDB folder `source`, in the order of their keys.

    Attributes
    ----------
    labels : (N,) array of int64
    images : list of arrays, or None where they are not held so
    shapes : set of tuple
        The distinct (C, H, W).
    stack : (N, C, H, W) tensor or None
        All images in memory, where they have one shape.
    """

    def __init__(self, source, color=None, options=None):
        self.source, self._color = source, color
        options = options or FeedOptions()
        self._keys, labels, images, self.shapes, size = [], [], [], set(), 0
        with open_lmdb(source) as env, env.begin() as transaction:
            for key, value in transaction.cursor():
                datum = parse_datum(value, source, key)
                image = decode(datum, color, self._name(key))
                self._keys.append(key)
                labels.append(datum.label)
                self.shapes.add((image.shape, image.dtype.str))
                size += image.nbytes
                if size > options.limit_bytes:
                    images = None
                if images is not None:
                    images.append(image)
        if not self._keys:
            raise LmdbError(f"{source}: holds no records")
        self.labels, self.images, self.stack = np.array(labels), images, None
        if images is not None and len(self.shapes) == 1:
            self.stack = torch.from_numpy(np.stack(images)).to(options.device or "cpu")
            self.images = None

    def __len__(self):
        return len(self._keys)

    def read(self, indices):
        """Return the images of the records `indices`, each an array (C, H, W)."""
        if self.stack is not None:
            return [self.stack[index].cpu().numpy() for index in indices]
        if self.images is not None:
            return [self.images[index] for index in indices]
        with open_lmdb(self.source) as env, env.begin() as transaction:
            return [self._decoded(transaction, self._keys[index]) for index in indices]

    def _decoded(self, transaction, key):
        datum = parse_datum(transaction.get(key), self.source, key)
        return decode(datum, self._color, self._name(key))

    def check_labels(self, classes, ignored, reader):
        """Refuse a label that is neither 0 to `classes` - 1 nor `ignored`; `reader` wants them.

        Raises
        ------
        LmdbError
            The message names the first such record.
        """
        wrong = (self.labels < 0) | (self.labels >= classes)
        if ignored is not None:
            wrong &= self.labels != ignored
        if wrong.any():
            first = int(wrong.argmax())
            raise LmdbError(
                f"{self._name(self._keys[first])}: label {self.labels[first]}, {reader} wants "
                f"0..{classes - 1}" + ("" if ignored is None else f" or {ignored}")
            )

    def _name(self, key):
        return f"{self.source}: record {key.decode(errors='replace')!r}"
