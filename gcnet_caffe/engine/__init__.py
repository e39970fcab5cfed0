"""The torch engine: executes prototxts, solvers and LMDBs of Caffe, reads and writes its files.

It knows Caffe's files only, never the package's own networks. PyTorch is imported by the modules
below this one, not by this one.
"""

from __future__ import annotations

import os

from gcnet_caffe.errors import extra

# Threads that wait sleep instead of spinning: beside other work on the same cores, a step of two
# spinning threads takes 20 times longer than one thread's. Read once, when PyTorch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def import_torch() -> None:
    """Import PyTorch with the settings above.

    Raises
    ------
    UsageError
        It is not installed; the message has the command that installs it.
    """
    with extra("torch", "the engine"):
        import torch  # noqa: F401
