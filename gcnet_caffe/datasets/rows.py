"""Many rows in a temporary file: half a million of them take no more memory than a thousand."""

from __future__ import annotations

import contextlib
import operator
import os
import pickle
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING

import numpy as np

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.errors import ManifestError

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Rows(Sequence[Row]):
    """A sequence of `manifest.Row`: each is read from a file when it is asked for.

    The file is in the folder for temporary files (TMPDIR), takes about 330 bytes per row, and is
    removed with the object. In memory there are 8 bytes per row.

    Parameters
    ----------
    rows : iterable of Row

    Raises
    ------
    ManifestError
        The file cannot be written (disk full).
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._file, self._ends = tempfile.TemporaryFile(), array("q", [0])
        weakref.finalize(self, _close, self._file)
        try:
            for row in rows:
                self._ends.append(self._ends[-1] + self._file.write(_as_bytes(row)))
            self._file.flush()
        except OSError as error:
            raise ManifestError(
                f"{tempfile.gettempdir()}: cannot keep the rows of the manifest here: "
                f"{error.strerror} (disk full? set TMPDIR to use another folder)"
            ) from None

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> Row:  # type: ignore[override]  # no slices
        place = range(len(self))[operator.index(index)]
        start, end = self._ends[place], self._ends[place + 1]
        return _as_row(os.pread(self._file.fileno(), end - start, start))


def _as_bytes(row: Row) -> bytes:
    """`row` as bytes; pickling NumPy's arrays takes four times as long."""
    *words, own, reference, route = row
    points = (None if each is None else each.tobytes() for each in (own, reference))
    return pickle.dumps((*words, *points, route), pickle.HIGHEST_PROTOCOL)


def _as_row(data: bytes) -> Row:
    *words, own, reference, route = pickle.loads(data)
    return Row._make((*words, _points(own), _points(reference), route))


def _points(data: bytes | None) -> NDArray[np.float64] | None:
    return None if data is None else np.frombuffer(data).reshape(5, 2)


def _close(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # what is in its buffer does not fit on the disk either
        file.close()
