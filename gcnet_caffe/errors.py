"""The errors this package raises on bad input; the command line prints each as one line.

::

    GcnetError                exit 1  the work failed
    ├── SchemaError                   a prototxt, caffemodel or Datum cannot be read
    ├── ManifestError                 a manifest or data-set tree is wrong (file, row, column)
    ├── ImageError                    an image is missing, corrupt, or has no usable face
    ├── LmdbError                     an LMDB cannot be read or written, or does not suit its net
    ├── NetError                      a net or solver cannot be executed as it is written
    ├── WeightsError                  weights or a snapshot do not fit, or cannot be read
    ├── TrainingError                 training cannot continue (the loss is not a number, ...)
    ├── ModelError                    a model folder is not as it was written, or not usable
    └── UsageError            exit 2  an option's value, or a path given, makes no sense

A message names the file, the layer, key or row, what was found (`shown`), and what was wanted.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

#: What messages say of a file that is not there: the words of the operating system.
NO_FILE = "No such file or directory"

#: Characters of a value in a message, and of a whole message on the command line.
_VALUE, _MESSAGE = 60, 2000


def shown(value: object) -> str:
    """Return a found value as a message shows it: quoted, on one line, and short."""
    text = repr(value)
    if len(text) <= _VALUE:
        return text
    size = f" ({len(value)} characters)" if isinstance(value, str) else ""
    return f"{text[: _VALUE - 3]}...{size}"


def shortened(message: str) -> str:
    """Return a message for the command line; a very long one loses its middle."""
    if len(message) <= _MESSAGE:
        return message
    return f"{message[: _MESSAGE // 2]} ... {message[-_MESSAGE // 2 :]}"


class GcnetError(Exception):
    """Base of all errors that are the input's fault, not the program's."""

    exit_code = 1


class SchemaError(GcnetError):
    """A prototxt, caffemodel or Datum cannot be read."""


class ManifestError(GcnetError):
    """A manifest or data-set tree is wrong."""


class ImageError(GcnetError):
    """An image is missing, corrupt, or has no usable face."""


class LmdbError(GcnetError):
    """An LMDB cannot be read or written, or does not suit the net that reads it."""


class NetError(GcnetError):
    """A net or solver cannot be executed as it is written."""


class WeightsError(GcnetError):
    """Weights or a snapshot do not fit the net, or cannot be read."""


class TrainingError(GcnetError):
    """Training cannot continue."""


class ModelError(GcnetError):
    """A model folder is not as it was written, or cannot be used."""


class UsageError(GcnetError):
    """An option's value, or a path given, makes no sense."""

    exit_code = 2


#: Extras whose libraries need a newer Python than the package does, as pyproject.toml says.
EXTRA_PYTHON = {"experiment": (3, 11), "web": (3, 10)}


def check_python(name: str, what: str) -> None:
    """Check that this Python can have the extra `name`; the parameters are those of `extra`.

    Raises
    ------
    UsageError
        It is too old.
    """
    wanted, found = EXTRA_PYTHON.get(name, (3,)), tuple(sys.version_info[:2])
    if found < wanted:
        old, new = (".".join(map(str, version)) for version in (found, wanted))
        raise UsageError(f"{what}: found Python {old}, wanted {new} or newer")


@contextlib.contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Import libraries of an optional extra in the body; where one is missing, say how to get it.

    Parameters
    ----------
    name : str
        The extra, as `pyproject.toml` calls it.
    what : str
        What needs the library: the first words of the message.

    Raises
    ------
    UsageError
        A library is not installed; the message has the command that installs it, or says that
        this Python cannot have it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        check_python(name, what)
        raise UsageError(f"{what} needs {error.name}: pip install 'gcnet-caffe[{name}]'") from None
