"""From shards of crops to LMDBs: in the order of the keys, read back and compared when written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbFacts, LmdbWriter, Tally, parse_datum, read_records
from gcnet_caffe.packing.plan import Target
from gcnet_caffe.packing.shards import Crops

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Assembly(NamedTuple):
    """One LMDB to write.

    Attributes
    ----------
    path, name : Path
        Where to write it, and where it will be in the end.
    target : Target
        Its rows and their order.
    labels : (N,) ndarray of int
        The label of each row of the manifest.
    failed : frozenset of int
        Rows, from 0, that are left out.
    crops : Crops
    """

    path: Path
    name: Path
    target: Target
    labels: NDArray[np.int64]
    failed: frozenset[int]
    crops: Crops

    def records(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield (key, label, row, copy) of the records, in the order of the keys."""
        for key, row, copy in self.target.records():
            if row not in self.failed:
                yield key, int(self.labels[row]) + self.target.raised.get(row, 0), row, copy


def assemble(task: Assembly) -> LmdbFacts:
    """Write the LMDB of an `Assembly`, and read it back.

    Parameters
    ----------
    task : Assembly

    Returns
    -------
    LmdbFacts

    Raises
    ------
    LmdbError
        It cannot be written, a shard is damaged, or what was read is not what should be there.
    """
    tally = Tally()
    with LmdbWriter(task.path, task.name, ascending=True) as writer:
        for key, label, row, copy in task.records():
            datum = _datum(task.crops.pixels(row, copy), label)
            value = datum.SerializeToString()
            writer.put(key, value)
            tally.add(key.encode(), value, datum)
    return verify(task, tally.facts())


def verify(task: Assembly, written: LmdbFacts) -> LmdbFacts:
    """Read the LMDB of an `Assembly` and check it.

    Parameters
    ----------
    task : Assembly
    written : LmdbFacts
        What was written.

    Returns
    -------
    LmdbFacts
        Of what was read; the same as `written`.

    Raises
    ------
    LmdbError
        The number of records, a key or its place, a label or the pixels are wrong; the message has
        the first such record.
    """
    tally, wanted = Tally(), ((key, label) for key, label, _, _ in task.records())
    for key, value in read_records(task.path):
        datum = parse_datum(value, task.name, key)
        tally.add(key, value, datum)
        name, (planned, label) = key.decode(), next(wanted, ("no more", ""))
        if (name, datum.label) != (planned, label):
            raise _unsound(task, f"record {name} of label {datum.label}, wanted {planned} {label}")
    for planned, _ in wanted:
        raise _unsound(task, f"it ends before record {planned}")
    if tally.facts() != written:
        raise _unsound(task, "its pixels are not those written")
    return written


def _unsound(task: Assembly, text: str) -> LmdbError:
    return LmdbError(f"{task.name}: read back after writing: {text} (a bad disk?)")


def _datum(pixels: NDArray[np.uint8], label: int) -> Any:
    """A Datum of (channels, height, width) `pixels`."""
    channels, height, width = pixels.shape
    return caffe_pb.Datum(
        channels=channels, height=height, width=width, data=pixels.tobytes(), label=label
    )
