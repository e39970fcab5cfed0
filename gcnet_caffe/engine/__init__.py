"""The torch engine: executes prototxts, solvers and LMDBs of Caffe, reads and writes its files.

It knows Caffe's files only, never the package's own networks. PyTorch is imported by the modules
below this one, not by this one.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
from collections.abc import Iterator

from gcnet_caffe.errors import extra

# Threads that wait sleep instead of spinning: beside other work on the same cores, a step of two
# spinning threads takes 20 times longer than one thread's. Read once, when PyTorch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def import_torch(what: str = "the engine") -> None:
    """Import PyTorch with the settings above.

    Parameters
    ----------
    what : str
        What needs it: the first words of the message.

    Raises
    ------
    UsageError
        It is not installed; the message has the command that installs it.
    """
    with extra("torch", what), _without_garbage_collection():
        import torch  # noqa: F401
    # At the end Python would look through all of PyTorch's objects for garbage, several times: a
    # quarter of the time of a short command.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Collect no garbage in the block: a tenth of the time of an import of so many objects."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
