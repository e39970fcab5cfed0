"""What runs a trained network on aligned faces: PyTorch, and others behind the same call.

A back end is a module with one function, ``open_backend(model)``: it takes a `TrainedModel`
(inference/model.py) and returns an object with

``forward(query)``
    (n, 1, 64, 64) float32, values 0..1, n of 1 or more and different from call to call, to
    {blob: float32 array} with Caffe's names: ``prob`` (n, classes) and, where the network has
    them (`model.outputs` tells), ``generated_reference`` (n, 1, 64, 64), ``delta`` (n, values of
    an embedding) and ``feature`` (n, 384).

It imports what it needs in that module, which is not imported before it is asked for, and where
that is not installed it raises a UsageError with the command that installs it.
"""

import importlib

from gcnet_caffe.errors import UsageError

#: Name -> module.
BACKENDS = {
    "torch": "gcnet_caffe.inference.backends.torch_engine",
    "onnxruntime": "gcnet_caffe.inference.backends.onnx_runtime",
    "opencv": "gcnet_caffe.inference.backends.opencv",
    "caffe": "gcnet_caffe.inference.backends.caffe",
}


def open_backend(name, model):
    """Open `model` (a `TrainedModel`) in the back end `name`.

    Raises
    ------
    UsageError
        There is no such back end, or what it needs is not installed.
    NetError, WeightsError, SchemaError
        The network cannot be run as it is written.
    """
    if name not in BACKENDS:
        raise UsageError(f"back end: found {name!r}, wanted one of {', '.join(BACKENDS)}")
    return importlib.import_module(BACKENDS[name]).open_backend(model)
