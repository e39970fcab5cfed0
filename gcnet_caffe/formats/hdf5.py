"""HDF5 files, and the errors of reading them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Union

from gcnet_caffe.errors import WeightsError, extra

Path = Union[str, "os.PathLike[str]"]

_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: Path) -> bool:
    """Return whether Caffe writes `path`, and reads a solver's state from it, as HDF5."""
    return str(path).endswith(".h5")


def holds_hdf5(path: Path) -> bool:
    """Return whether Caffe reads weights from `path` as HDF5: by what the file starts with."""
    try:
        with open(path, "rb") as file:
            return file.read(len(_SIGNATURE)) == _SIGNATURE
    except OSError:
        return False


@contextlib.contextmanager
def opened(path: Path, mode: str = "r") -> Iterator[Any]:
    """Open the HDF5 file at `path`.

    Parameters
    ----------
    path : str or Path
    mode : str
        As h5py.File takes it.

    Raises
    ------
    WeightsError
        It cannot be read: not there, truncated, or something else.
    UsageError
        h5py is not installed.
    """
    with extra("torch", "HDF5"):
        import h5py
    try:
        with h5py.File(path, mode) as file:
            yield file
    except FileNotFoundError:
        raise WeightsError(f"{path}: No such file or directory") from None
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        if mode != "r":
            raise
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path}: truncated, or not the HDF5 file wanted: {text}") from None
