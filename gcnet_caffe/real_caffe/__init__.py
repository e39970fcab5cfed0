"""Real Caffe as a process: the tool, a net in a process of its own, two players.

pycaffe is imported only where it is: in the image, or beside a Caffe of one's own.
"""

from __future__ import annotations

import ctypes
from typing import Any

from gcnet_caffe.errors import GcnetError


def import_caffe(gpu: int | None = None) -> Any:
    """Import pycaffe with our plug-in's layers, to compute on the CPU or a GPU.

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
        pycaffe or the plug-in is not here.
    """
    try:
        ctypes.CDLL("libgcnet_layers.so", ctypes.RTLD_GLOBAL)  # before Caffe asks for its layers
        import caffe
    except (ImportError, OSError) as error:
        raise GcnetError(f"needs pycaffe and the plug-in, as docker/caffe has: {error}") from None
    if gpu is None:
        caffe.set_mode_cpu()
    else:
        caffe.set_device(gpu)
        caffe.set_mode_gpu()
    return caffe
