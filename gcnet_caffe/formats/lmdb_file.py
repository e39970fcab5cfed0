"""Caffe's LMDBs: folders of Datums under ordered keys."""

from __future__ import annotations

import contextlib
import hashlib
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats._messages import caffe_pb, raw_pb

_BATCH_BYTES = 8 << 20  # written per transaction; bounds the memory of the writer
_FIRST_MAP_SIZE = 64 << 20
_READ_BYTES = 4 << 20  # read before the file is mapped anew; bounds the pages that are resident


class LmdbWriter:
    """Write records to a new LMDB folder; the map grows as needed.

    Use it as a context manager. Nothing is synced to the disk before the end: a folder whose
    writing was interrupted is worthless, so write it under a temporary name (`files.atomic`).

    Parameters
    ----------
    path : str or Path
    name : str or Path, optional
        What errors call the LMDB; default `path`.
    ascending : bool
        The keys come in their order; that is faster, and the file is compact.

    Raises
    ------
    LmdbError
        The records cannot be written: disk full, file too large, a key twice, ...
    """

    def __init__(
        self, path: str | Path, name: str | Path | None = None, ascending: bool = False
    ) -> None:
        self._name, self._ascending = name or path, ascending
        self._batch: list[tuple[bytes, bytes]] = []
        self._size = 0  # bytes of the batch's values
        self._map_size = _FIRST_MAP_SIZE
        with self._failures():
            self._env = lmdb.open(str(path), map_size=self._map_size, sync=False, metasync=False)

    def __enter__(self) -> LmdbWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._write_batch()
                with self._failures():
                    self._env.sync(True)
        finally:
            self._env.close()

    def put(self, key: str, value: bytes) -> None:
        """Add one record: a key of ASCII characters, a value of bytes."""
        self._batch.append((key.encode(), value))
        self._size += len(value)
        if self._size >= _BATCH_BYTES:
            self._write_batch()

    def _write_batch(self) -> None:
        with self._failures():
            added = self._commit()
        if added < len(self._batch):
            raise LmdbError(f"{self._name}: a key appears twice, or out of order")
        self._batch, self._size = [], 0

    def _commit(self) -> int:
        """Write the batch; return how many of its keys were new."""
        while True:
            try:
                with self._env.begin(write=True) as transaction:
                    return transaction.cursor().putmulti(self._batch, append=self._ascending)[1]
            except lmdb.MapFullError:
                self._map_size *= 2
                self._env.set_mapsize(self._map_size)

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except (lmdb.Error, OSError) as error:
            why = str(error).rpartition(": ")[2]  # LMDB makes most of them "Input/output error"
            raise LmdbError(
                f"{self._name}: cannot write the LMDB: {why} (disk full, or a limit on file sizes?)"
            ) from None


def holds_lmdb(path: str | Path) -> bool:
    """Return whether `path` is a folder with an LMDB's file."""
    try:
        return (Path(path) / "data.mdb").is_file()
    except (OSError, ValueError):  # a folder that is not ours to look into, a null byte
        return False


def _below(path: Path) -> str:
    """Return where an LMDB of the same name is, a folder deeper, as words; '' where none is."""
    try:
        found = sorted(filter(holds_lmdb, path.parent.glob(f"*/{path.name}")))
    except (OSError, ValueError):
        found = []
    return f"; there is {found[0]}" if found else ""


def open_lmdb(path: str | Path) -> lmdb.Environment:
    """Return the environment of the LMDB folder `path`, for reading.

    Raises
    ------
    LmdbError
        There is no LMDB, it cannot be read, or its file is shorter than it says itself.
    """
    if not holds_lmdb(path):
        raise LmdbError(f"{path}: no LMDB here (no data.mdb in such a folder){_below(Path(path))}")
    file = Path(path) / "data.mdb"
    try:
        env = lmdb.open(str(path), readonly=True, lock=False)
        wanted = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    except (lmdb.Error, OSError) as error:
        raise LmdbError(f"{path}: cannot read the LMDB: {error}") from None
    if file.stat().st_size < wanted:  # reading on would end the process with SIGBUS
        env.close()
        raise LmdbError(f"{path}: truncated: {file.stat().st_size} bytes, wanted {wanted}")
    return env


def read_records(path: str | Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the (key, value) pairs of the LMDB folder `path` as bytes, in key order.

    Raises
    ------
    LmdbError
        There is no LMDB, or it cannot be read.
    """
    last, more = b"", True
    while more:
        with open_lmdb(path) as env, env.begin() as transaction:
            cursor = transaction.cursor()
            more = cursor.set_range(last) and (cursor.key() != last or cursor.next())
            read = 0
            while more and read < _READ_BYTES:
                last, value = cursor.item()
                yield last, value
                read += len(value)
                more = cursor.next()


def count_records(path: str | Path) -> int:
    """Return how many records the LMDB folder `path` holds, without reading them."""
    with open_lmdb(path) as env:
        return int(env.stat()["entries"])


def read_datums(path: str | Path) -> Iterator[tuple[bytes, Any]]:
    """Yield (key, Datum) for each record of the LMDB folder `path`, in key order."""
    for key, value in read_records(path):
        yield key, parse_datum(value, path, key)


def record_name(path: str | Path, key: bytes) -> str:
    """Return how errors name the record `key` of the LMDB at `path`."""
    return f"{path}: record {key.decode(errors='replace')!r}"


def parse_datum(value: bytes, path: str | Path, key: bytes) -> Any:
    """Return the Datum of the record `key` of the LMDB at `path`.

    Raises
    ------
    LmdbError
        It is no Datum; an AnnotatedDatum of SSD's Caffe is named as such.
    """
    datum = caffe_pb.Datum()
    try:
        datum.ParseFromString(value)
    except Exception as error:  # DecodeError's place differs between protobuf versions
        raise LmdbError(f"{record_name(path, key)} is not a Datum: {error}") from None
    if value[:1] == b"\n" and _is_annotated(value):
        raise LmdbError(
            f"{record_name(path, key)} is an AnnotatedDatum, of SSD's Caffe; a Data layer reads "
            "Datums (convert_imageset or `gcnet make-lmdb` write them)"
        )
    if value and not datum.ListFields():
        raise LmdbError(f"{record_name(path, key)} is not a Datum: it has none of its fields")
    return datum


def _is_annotated(value: bytes) -> bool:
    """Return whether the first field is a Datum: in a Datum it is the number of channels."""
    try:
        return bool(raw_pb.AnnotatedDatum.FromString(value).datum.ListFields())
    except Exception:  # as above
        return False


@dataclass(frozen=True)
class LmdbFacts:
    """What an LMDB holds.

    Attributes
    ----------
    count : int
        The number of records.
    shapes : tuple of (channels, height, width)
        The distinct ones of its Datums, in rising order.
    labels : dict
        Label -> number of records that have it.
    sha256 : str
        The hex digest of the keys and values in order; each has its length before it as four
        bytes, lowest first.
    """

    count: int
    shapes: tuple[tuple[int, int, int], ...]
    labels: dict[int, int]
    sha256: str


class Tally:
    """`LmdbFacts` in the making, record by record in the order of the keys."""

    def __init__(self) -> None:
        self._shapes: Counter[tuple[int, int, int]] = Counter()
        self._labels: Counter[int] = Counter()
        self._digest = hashlib.sha256()

    def add(self, key: bytes, value: bytes, datum: Any) -> None:
        """Count one record: key and value as bytes, and the value as a Datum."""
        self._shapes[datum.channels, datum.height, datum.width] += 1
        self._labels[datum.label] += 1
        for part in (key, value):
            self._digest.update(struct.pack("<I", len(part)) + part)

    def facts(self) -> LmdbFacts:
        """Return the `LmdbFacts` of the records so far."""
        return LmdbFacts(
            count=sum(self._labels.values()),
            shapes=tuple(sorted(self._shapes)),
            labels=dict(sorted(self._labels.items())),
            sha256=self._digest.hexdigest(),
        )


def describe(path: str | Path) -> LmdbFacts:
    """Read the whole LMDB folder `path` and return its `LmdbFacts`.

    Raises
    ------
    LmdbError
        It cannot be read, or a record is not a Datum.
    """
    tally = Tally()
    for key, value in read_records(path):
        tally.add(key, value, parse_datum(value, path, key))
    return tally.facts()
