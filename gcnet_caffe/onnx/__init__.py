"""A trained Caffe net as an ONNX file, made from the graph that the torch engine runs.

`onnx` is imported by the modules below this one, not by this one.
"""

from gcnet_caffe.errors import UsageError


def import_onnx():
    """Import onnx, or say how to get it."""
    try:
        import onnx  # noqa: F401
    except ModuleNotFoundError:
        raise UsageError("ONNX files need onnx: pip install 'gcnet-caffe[onnx]'") from None
