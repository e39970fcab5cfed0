"""HDF5 files, and the errors of reading them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from gcnet_caffe.errors import NO_FILE, WeightsError, extra

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    except (OSError, ValueError):  # no such file, or no file's name
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
        raise WeightsError(f"{path}: {NO_FILE}") from None
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        if mode != "r":
            raise
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path}: truncated, or not the HDF5 file wanted: {text}") from None


def read_layers(path: Path) -> list[tuple[str, dict[int, NDArray[np.float32]]]]:
    """Return (layer name, {blob index: array}) of each layer in the HDF5 weights at `path`.

    A blob that layers share is there once, in its owner's layer.

    Raises
    ------
    WeightsError
        The file cannot be read, or holds something else.
    """
    with opened(path) as file:
        return list(_layers_in(file["data"], path))


def _layers_in(groups: Any, path: Path) -> Iterator[tuple[str, dict[int, NDArray[np.float32]]]]:
    """Yield the layers of the groups of an HDF5 file.

    A group in a group is a layer whose name has a ``/``: Caffe writes none, and earlier versions of
    this package did.
    """
    for name, group in groups.items():
        inner = {key: value for key, value in group.items() if hasattr(value, "items")}
        found = {key: value for key, value in group.items() if key not in inner}
        if wrong := [key for key in found if not key.isdecimal()]:
            raise WeightsError(
                f"{path}: layer {name!r}: found {wrong[0]!r}, wanted blobs numbered 0, 1, ..."
            )
        if found or not inner:
            yield name, {int(key): np.array(found[key], np.float32) for key in found}
        yield from _layers_in({f"{name}/{key}": value for key, value in inner.items()}, path)
