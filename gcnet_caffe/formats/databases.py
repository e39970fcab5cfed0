"""The databases that a Data layer reads: LMDBs and LEVELDBs, by one set of methods."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from gcnet_caffe.errors import LmdbError, extra
from gcnet_caffe.formats.lmdb_file import open_lmdb, read_records


class Database(Protocol):
    """A folder of records under ordered keys. Its methods raise an LmdbError if it is broken."""

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the (key, value) pairs in the order of the keys."""

    def values(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return the values of `keys`, empty where there is none."""


def open_database(path: str, leveldb: bool) -> Database:
    """Return the LEVELDB or LMDB in the folder `path`, for reading."""
    return Leveldb(path) if leveldb else Lmdb(path)


class Lmdb:
    """An LMDB; it is open while it is read only."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = self._fingerprint()

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the (key, value) pairs in the order of the keys."""
        return read_records(self._path)

    def values(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return the values of `keys`, empty where there is none.

        The LMDB is closed afterwards: a process may not open one twice, and the pages of it that
        were read count as this process's memory while it is open.

        Raises
        ------
        LmdbError
            It cannot be read, or was changed since this object was made.
        """
        with open_lmdb(self._path) as env, env.begin() as transaction:
            if self._fingerprint() != self._file:
                raise LmdbError(f"{self._path}: was changed while it was being read")
            return [transaction.get(key, b"") for key in keys]

    def _fingerprint(self) -> tuple[int, int, int] | None:
        """Return what changes when the LMDB's file is written; None where there is none."""
        file = Path(self._path) / "data.mdb"
        if not file.is_file():
            return None
        found = file.stat()
        return found.st_ino, found.st_mtime_ns, found.st_size


def holds_leveldb(path: str | Path) -> bool:
    """Return whether `path` is a folder with the files of a LEVELDB."""
    try:
        return (Path(path) / "CURRENT").is_file()
    except (OSError, ValueError):  # a folder that is not ours to look into, a null byte
        return False


class _Open:
    """A LEVELDB that is open; only one process may open it, and that once."""

    def __init__(self, library: ModuleType, path: str) -> None:
        self.db: Any = library.DB(path, create_if_missing=False, paranoid_checks=True)


_OPEN: weakref.WeakValueDictionary[str, _Open] = weakref.WeakValueDictionary()


class Leveldb:
    """A LEVELDB; it is open as long as this object lives, and others of the same folder share it.

    Raises
    ------
    LmdbError
        There is none, it is broken, or another process has opened it. The library also writes to
        the folder.
    UsageError
        The library is not installed.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        if not holds_leveldb(path):
            raise LmdbError(f"{path}: no LEVELDB here (no CURRENT in such a folder)")
        self._library = _import_plyvel()
        real = os.path.realpath(path)
        opened = _OPEN.get(real)
        if opened is None:
            try:
                opened = _OPEN[real] = _Open(self._library, path)
            except self._library.Error as error:
                raise self._broken(error) from None
        self._open = opened

    def _broken(self, error: Exception) -> LmdbError:
        said = error.args[0] if error.args else error
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        return LmdbError(f"{self._path}: cannot read the LEVELDB: {said}")

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield the (key, value) pairs in the order of the keys."""
        try:
            yield from self._open.db.iterator(verify_checksums=True, fill_cache=False)
        except self._library.Error as error:
            raise self._broken(error) from None

    def values(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return the values of `keys`, empty where there is none."""
        try:
            return [self._open.db.get(key, b"") for key in keys]
        except self._library.Error as error:
            raise self._broken(error) from None


def _import_plyvel() -> ModuleType:
    with extra("leveldb", "LEVELDB"):
        try:
            import plyvel
        except ModuleNotFoundError:
            import plyvel_next as plyvel  # its name from Python 3.13 on
    found: ModuleType = plyvel
    return found
