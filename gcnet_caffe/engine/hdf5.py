"""HDF5 files, with errors of ours."""

import contextlib

from gcnet_caffe.errors import UsageError, WeightsError


def is_hdf5(path):
    """Return whether Caffe would read `path` as HDF5: by its ending."""
    return str(path).endswith(".h5")


def _h5py():
    try:
        import h5py
    except ModuleNotFoundError:
        raise UsageError("HDF5 needs h5py: pip install 'gcnet-caffe[torch]'") from None
    return h5py


@contextlib.contextmanager
def opened(path, mode="r"):
    """Open the HDF5 file at `path`.

    Raises
    ------
    WeightsError
        It cannot be read: not there, truncated, or something else.
    """
    h5py = _h5py()
    try:
        with h5py.File(path, mode) as file:
            yield file
    except FileNotFoundError:
        raise WeightsError(f"{path}: No such file or directory") from None
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError) as error:
        if mode != "r":
            raise
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{path}: truncated, or not the HDF5 file wanted: {text}") from None
