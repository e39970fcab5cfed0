"""The records of an LMDB: read and decoded when they are needed, held in memory up to a limit."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats.databases import open_database
from gcnet_caffe.formats.datum import Shape, decode, header_shape
from gcnet_caffe.formats.lmdb_file import parse_datum, record_name
from gcnet_caffe.parallel import cores

#: At most so many threads decode images; OpenCV lets others run meanwhile.
MOST_THREADS = 4


class FeedOptions(NamedTuple):
    """How Data layers hold their records.

    Attributes
    ----------
    limit_bytes : int
        So many bytes of an LMDB's images are held in memory; the others are read each time.
    device : torch.device or None
        Whose memory holds the images; None is the CPU.
    """

    limit_bytes: int = 4 << 30
    device: torch.device | None = None

    @classmethod
    def of(cls, options: EngineOptions, device: torch.device) -> FeedOptions:
        """Return what `options.data_limit` says, for a net on `device`."""
        return cls(int(options.data_limit * 2**30), None if device.type == "cpu" else device)


class Records:
    """The images and labels of the LMDB or LEVELDB `source`, in the order of their keys.

    All labels are read at once, and the sizes of the images as far as headers say them. The images
    themselves are decoded when they are first needed. They are held from then on: those of the
    first one's shape in `stack`, others one by one, until the limit is reached. What is not held
    is read and decoded again each time.

    Parameters
    ----------
    source : str
        The folder.
    color : bool, optional
        Whether encoded images are decoded in colour (BGR, three channels) or in grey; None: as they
        are. As transform_param's force_color and force_gray.
    options : FeedOptions, optional
    leveldb : bool
        Whether it is a LEVELDB.

    Attributes
    ----------
    labels : (N,) array of int64
    shapes : dict
        Each (C, H, W), and whether it is of an encoded image -> the first such record's number; of
        the encoded images, the first and those whose header says it.
    first_shape : tuple
        (C, H, W) of the first image.
    stack : (M, C, H, W) tensor of uint8 or float32
        Room for the first M records, as many as may be held; filled where they were needed.
    held_bytes : int
        How many bytes the images have that are held.

    Raises
    ------
    LmdbError
        There is no database, it is empty or cannot be read; a record is not a Datum, or its size is
        not the one that it says. The images raise it, too, where they are decoded.
    """

    def __init__(
        self,
        source: str,
        color: bool | None = None,
        options: FeedOptions | None = None,
        leveldb: bool = False,
    ) -> None:
        self.source, self._color = source, color
        options = options or FeedOptions()
        self._keys: list[bytes] = []
        self.shapes: dict[tuple[Shape, bool], int] = {}
        self._database = open_database(source, leveldb)
        self.labels = self._survey()
        self.held_bytes, self._limit = 0, options.limit_bytes
        self._pool = ThreadPoolExecutor(min(cores(), MOST_THREADS))
        self._coming: dict[int, Future[NDArray[Any]]] = {}
        first = self._fresh([0])[0]
        self.stack = torch.empty(
            (min(len(self), self._limit // first.nbytes), *first.shape),
            dtype=torch.from_numpy(np.empty(0, first.dtype)).dtype,
            device=options.device,
        )
        self._like_first = (first.shape, first.dtype)
        self._in_stack = np.zeros(len(self), bool)
        self._others: dict[int, NDArray[Any]] = {}
        self._hold({0: first})
        self.first_shape: Shape = first.shape

    def _survey(self) -> NDArray[np.int64]:
        """Read all records once, but decode none; return the labels."""
        labels = []
        for index, (key, value) in enumerate(self._database.records()):
            datum = parse_datum(value, self.source, key)
            self._keys.append(key)
            labels.append(datum.label)
            shape = header_shape(datum, self._color, self.name(index))
            if not index:
                shape = decode(datum, self._color, self.name(index)).shape
            if shape is not None:
                self.shapes.setdefault((shape, datum.encoded), index)
        if not self._keys:
            raise LmdbError(f"{self.source}: has no records")
        return np.array(labels)

    def __len__(self) -> int:
        return len(self._keys)

    def images(self, indices: NDArray[np.int64]) -> torch.Tensor | list[NDArray[Any]]:
        """Return `stack` if it holds the records `indices`, else the image (C, H, W) of each.

        Raises
        ------
        LmdbError
            See the class; or the LMDB was changed.
        """
        fresh = self._fresh(self._missing(indices))
        self._hold(fresh)
        if self._in_stack[indices].all():
            return self.stack
        return [self._image(index, fresh) for index in indices.tolist()]

    def prefetch(self, indices: NDArray[np.int64]) -> None:
        """Let threads decode those of the records `indices` that are not held."""
        self._coming = self._start(self._missing(indices))

    def _missing(self, indices: NDArray[np.int64]) -> list[int]:
        absent = indices[~self._in_stack[indices]].tolist()
        return [index for index in dict.fromkeys(absent) if index not in self._others]

    def _image(self, index: int, fresh: dict[int, NDArray[Any]]) -> NDArray[Any]:
        if self._in_stack[index]:
            return self.stack[index].cpu().numpy()
        return fresh[index] if index in fresh else self._others[index]

    def _fresh(self, missing: list[int]) -> dict[int, NDArray[Any]]:
        """Return the images of the records `missing`, which are not held."""
        coming = self._coming
        coming.update(self._start([index for index in missing if index not in coming]))
        self._coming = {}
        return {index: coming[index].result() for index in missing}

    def _start(self, indices: list[int]) -> dict[int, Future[NDArray[Any]]]:
        """Read the records `indices` and let threads decode them."""
        if not indices:
            return {}
        values = self._database.values([self._keys[index] for index in indices])
        return {
            index: self._pool.submit(self._decode, index, value)
            for index, value in zip(indices, values)
        }

    def _decode(self, index: int, value: bytes) -> NDArray[Any]:
        datum = parse_datum(value, self.source, self._keys[index])
        return decode(datum, self._color, self.name(index))

    def _hold(self, images: dict[int, NDArray[Any]]) -> None:
        """Keep `images`, which are not held, as far as the limit allows."""
        for index, image in images.items():
            if self.held_bytes + image.nbytes > self._limit:
                continue
            self.held_bytes += image.nbytes
            if index < len(self.stack) and (image.shape, image.dtype) == self._like_first:
                self.stack[index] = torch.tensor(image)
                self._in_stack[index] = True
            else:
                self._others[index] = image

    def name(self, index: int) -> str:
        """Return how errors name the record `index`: its LMDB and its key."""
        return record_name(self.source, self._keys[index])
