"""The errors this package raises on bad input; the command line prints each as one line.

::

    GcnetError                exit 1  the work failed
    ├── SchemaError                   a prototxt, caffemodel or Datum cannot be read
    ├── ManifestError                 a manifest or data-set tree is wrong (file, row, column)
    ├── ImageError                    an image is missing, corrupt, or has no usable face
    ├── LmdbError                     an LMDB cannot be read or written
    ├── CheckError                    an LMDB does not fit the net that will read it
    ├── NetError                      a net or solver cannot be executed as it is written
    ├── WeightsError                  weights or a snapshot do not fit, or cannot be read
    ├── TrainingError                 training cannot go on (the loss is not a number, ...)
    ├── ModelError                    a model folder is not as it was written, or not usable
    └── UsageError            exit 2  an option's value, or a path given, makes no sense

A message names the file, the layer, key or row, what was found, and what was wanted.
"""


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
    """An LMDB cannot be read or written."""


class CheckError(GcnetError):
    """An LMDB does not fit the net that will read it."""


class NetError(GcnetError):
    """A net or solver cannot be executed as it is written."""


class WeightsError(GcnetError):
    """Weights or a snapshot do not fit the net, or cannot be read."""


class TrainingError(GcnetError):
    """Training cannot go on."""


class ModelError(GcnetError):
    """A model folder is not as it was written, or cannot be used."""


class UsageError(GcnetError):
    """An option's value, or a path given, makes no sense."""

    exit_code = 2
