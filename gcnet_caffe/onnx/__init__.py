"""A trained Caffe net as an ONNX file, made from the graph that the torch engine runs.

`onnx` is imported by the modules below this one, not by this one.
"""

from __future__ import annotations

from gcnet_caffe.errors import extra


def import_onnx() -> None:
    """Import onnx, or say how to get it.

    Raises
    ------
    UsageError
        It is not installed.
    """
    with extra("onnx", "an ONNX file"):
        import onnx  # noqa: F401
