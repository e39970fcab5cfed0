"""Outputs that get their final name when they are complete; checksums and locks of files."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.text import check_name


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str], overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary sibling of `path` to write a file or folder at; rename it on success.

    Parameters
    ----------
    path : str or Path
        The final name. Missing parent folders are made.
    overwrite : bool
        Replace an existing file. An existing folder is never replaced.

    Raises
    ------
    UsageError
        `path` exists, and `overwrite` is false or it is a folder.
    """
    path = _new(path, overwrite)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield scratch / path.name
        os.replace(scratch / path.name, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _new(path: str | os.PathLike[str], overwrite: bool = False) -> Path:
    check_name(path, UsageError)
    path = Path(path)
    if path.is_dir() or (path.exists() and not overwrite):
        raise UsageError(f"{path}: exists already; remove it or give another path")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


#: In a folder of unfinished work: notes on what is done.
NOTES = ".done"


@contextlib.contextmanager
def unfinished(path: str | os.PathLike[str], settings: str) -> Iterator[Path]:
    """Yield a folder beside `path` that a later call finds again; rename it to `path` on success.

    Parameters
    ----------
    path : str or Path
        The final name. Missing parent folders are made.
    settings : str
        What the folder's content depends on: work of other settings is removed first.

    Yields
    ------
    Path
        The folder. It has a folder NOTES for notes on what is done, which is removed at the end.

    Raises
    ------
    UsageError
        `path` exists, or another process is at work on it.
    """
    path = _new(path)
    folder = path.with_name(f".{path.name}.unfinished")
    folder.mkdir(exist_ok=True)
    with locked(folder / ".lock") as ours:
        if not ours:
            raise UsageError(f"{path}: another process writes it")
        made_with = folder / NOTES / "settings"
        if not made_with.exists() or made_with.read_text(encoding="utf-8") != settings:
            for old in folder.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
                elif old.name != ".lock":
                    old.unlink()
            (folder / NOTES).mkdir()
            write_text(made_with, settings)
        yield folder
        shutil.rmtree(folder / NOTES)
        (folder / ".lock").unlink()
        os.replace(folder, path)


def write_csv(
    path: str | os.PathLike[str], columns: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Write a CSV file with a header (replacing it), row by row, whole or not at all.

    Parameters
    ----------
    path : str or Path
    columns : sequence of str
    rows : iterable of sequences
    """
    with (
        atomic(path, overwrite=True) as scratch,
        open(scratch, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` to `path` (replacing it), whole or not at all."""
    with atomic(path, overwrite=True) as scratch:
        scratch.write_text(text, encoding="utf-8")


def sha256(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of the file at `path`, in hexadecimal; it is read block by block."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def locked(path: str | os.PathLike[str], patience: float = 0) -> Iterator[bool]:
    """Lock the file at `path`, which is made if need be, while the body runs.

    Parameters
    ----------
    path : str or Path
    patience : float
        Seconds to wait while another process has the lock.

    Yields
    ------
    bool
        Whether the lock is ours: no other process has it, and the file is still there.
    """
    end = time.monotonic() + patience
    with open(path, "w") as file:
        while not (ours := _lock(file.fileno())) and time.monotonic() < end:
            time.sleep(0.2)
        yield ours and _is_still(file.fileno(), path)


@contextlib.contextmanager
def alone(path: str | os.PathLike[str], error: GcnetError, patience: float = 0) -> Iterator[None]:
    """Run the body with the lock of `path`, as `locked` does, or raise `error`."""
    with locked(path, patience) as ours:
        if not ours:
            raise error
        yield


def _is_still(file: int, path: str | os.PathLike[str]) -> bool:
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except FileNotFoundError:
        return False


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
