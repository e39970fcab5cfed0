"""Outputs that appear under their final name only when they are complete."""

import contextlib
import csv
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Union

from gcnet_caffe.errors import UsageError
from gcnet_caffe.text import check_name


@contextlib.contextmanager
def atomic(path, overwrite=False):
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
    check_name(path, UsageError)
    path = Path(path)
    if path.is_dir() or (path.exists() and not overwrite):
        raise UsageError(f"{path}: exists already; remove it or give another path")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield scratch / path.name
        os.replace(scratch / path.name, path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_csv(path, columns, rows):
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


def write_text(path, text):
    """Write `text` to `path` (replacing it), whole or not at all."""
    with atomic(path, overwrite=True) as scratch:
        scratch.write_text(text, encoding="utf-8")


def sha256(path: Union[str, "os.PathLike[str]"]) -> str:
    """Return the SHA-256 of the file at `path`, in hexadecimal; it is read block by block."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
