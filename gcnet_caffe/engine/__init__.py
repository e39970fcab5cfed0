"""The torch engine: executes prototxts, solvers and LMDBs of Caffe, reads and writes its files.

It knows Caffe's files only, never the package's own networks. PyTorch is imported by the modules
below this one, not by this one.
"""

import os

from gcnet_caffe.errors import UsageError

# Threads that wait sleep instead of spinning: beside other work on the same cores, a step of two
# spinning threads takes 20 times longer than one thread's. Read once, when PyTorch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def import_torch():
    """Import PyTorch with the settings above, or say how to get it."""
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError(
            "the engine needs PyTorch: pip install 'gcnet-caffe[torch]' (README: the CPU route)"
        ) from None
