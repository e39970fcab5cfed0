"""Real Caffe as a process: the tool, a net in a process of its own, two players.

The programs for pycaffe (worker, trace, two_players) import it where it is: in the image, or beside
a Caffe of one's own. Under `gcnet python` they run on gcnet_caffe.pycaffe.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import Any

from gcnet_caffe.errors import GcnetError


def import_caffe(gpu: int | None = None) -> Any:
    """Import pycaffe, with our plug-in's layers where it is, to compute on the CPU or a GPU.

    Parameters
    ----------
    gpu : int, optional
        Number of the GPU; by default the CPU.

    Returns
    -------
    module
        `caffe`.

    Raises
    ------
    GcnetError
        pycaffe is not here.
    """
    with contextlib.suppress(OSError):  # other nets do not need it
        ctypes.CDLL("libgcnet_layers.so", ctypes.RTLD_GLOBAL)  # before Caffe asks for its layers
    try:
        import caffe
    except ImportError as error:
        raise GcnetError(f"needs pycaffe, as docker/caffe has it: {error}") from None
    if gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(gpu)
        caffe.set_mode_gpu()
    return caffe
