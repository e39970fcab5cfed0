"""From shards of crops to LMDBs: in the order of the keys, read back and compared when written."""

import json
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbWriter, Tally, parse_datum, read_records
from gcnet_caffe.packing.crops import Failure, record_type

_OPEN_FILES = 200


class Files:
    """Files that stay open between reads, up to a number: opening costs more than reading."""

    def __init__(self):
        self._open = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for number in self._open.values():
            os.close(number)
        self._open.clear()

    def read(self, path, size, offset):
        """Return `size` bytes from `offset` on, or what there is of them."""
        if path not in self._open:
            if len(self._open) >= _OPEN_FILES:
                self.__exit__()
            self._open[path] = os.open(path, os.O_RDONLY)
        return os.pread(self._open[path], size, offset)


class Crops(NamedTuple):
    """The shards of a packing, as one sequence of records.

    `starts` tells the first record of each of the `shards`, and the number of records at the end;
    `first` tells the first record of each manifest row.
    """

    shards: list
    starts: np.ndarray
    first: np.ndarray
    channels: int

    def pixels(self, row, copy, files):
        """The (channels, 66, 66) grey values of one record, read by way of `files`.

        Raises
        ------
        LmdbError
            The shard is damaged. It is removed, so that the same command makes it again.
        """
        index = self.first[row] + copy
        shard = np.searchsorted(self.starts, index, "right") - 1
        kind = record_type(self.channels)
        path, offset = self.shards[shard], (index - self.starts[shard]) * kind.itemsize
        data = files.read(path, kind.itemsize, int(offset))
        found = np.frombuffer(data, kind) if len(data) == kind.itemsize else ()
        if not len(found) or zlib.crc32(found["pixels"]) != found["crc"][0]:
            raise _damaged(path, f"the record of row {row + 1}, copy {copy} is not as it was made")
        return found["pixels"][0]

    def failures(self):
        """The rows that could not be made: row from 0 -> `Failure`."""
        failures = {}
        sizes = np.diff(self.starts) * record_type(self.channels).itemsize
        for path, size in zip(self.shards, sizes.tolist()):
            with open(path, "rb") as file:
                file.seek(size)
                text = file.read()
            try:
                found = json.loads(text)
            except ValueError:
                raise _damaged(path, "its end is missing") from None
            failures.update({int(row): Failure(*failure) for row, failure in found.items()})
        return failures


def _damaged(path, what):
    Path(path).unlink(missing_ok=True)
    return LmdbError(f"{path}: damaged: {what}; it is removed, and the same command makes it again")


class Assembly(NamedTuple):
    """One LMDB to write: `path`, its final `name`, its `target`, and what goes into it.

    `labels` are those of the manifest's rows, of which `failed` are left out.
    """

    path: Path
    name: Path
    target: object
    labels: np.ndarray
    failed: frozenset
    crops: Crops

    def records(self):
        """Yield (key, label, row, copy) of the records, in the order of the keys."""
        for key, row, copy in self.target.records():
            if row not in self.failed:
                yield key, int(self.labels[row]), row, copy


def assemble(task):
    """Write the LMDB of an `Assembly`, and read it back.

    Returns
    -------
    LmdbFacts

    Raises
    ------
    LmdbError
        It cannot be written, a shard is damaged, or what was read is not what was to be written.
    """
    tally = Tally()
    with Files() as files, LmdbWriter(task.path, task.name, ascending=True) as writer:
        for key, label, row, copy in task.records():
            datum = _datum(task.crops.pixels(row, copy, files), label)
            value = datum.SerializeToString()
            writer.put(key, value)
            tally.add(key.encode(), value, datum)
    return verify(task, tally.facts())


def verify(task, written):
    """Read the LMDB of an `Assembly`: return its `LmdbFacts`, which must be those `written`.

    Raises
    ------
    LmdbError
        The number of records, a key or its place, a label or the pixels are not as planned; the
        message names the first record that is wrong.
    """
    tally, wanted = Tally(), task.records()
    for key, value in read_records(task.path):
        datum = parse_datum(value, task.name, key)
        tally.add(key, value, datum)
        found, planned = (key.decode(), datum.label), next(wanted, ("no more", ""))[:2]
        if found != planned:
            raise _unsound(task, "record {} of label {}, wanted {} {}", *found, *planned)
    for planned in wanted:
        raise _unsound(task, "it ends before record {}", planned[0])
    if tally.facts() != written:
        raise _unsound(task, "its pixels are not those written")
    return written


def _unsound(task, text, *values):
    return LmdbError(f"{task.name}: read back after writing: {text.format(*values)} (a bad disk?)")


def _datum(pixels, label):
    channels, height, width = pixels.shape
    return caffe_pb.Datum(
        channels=channels, height=height, width=width, data=pixels.tobytes(), label=label
    )
