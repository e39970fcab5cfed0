"""ONNX Runtime as a back end: the network is exported when it is opened (inference/onnx_file.py).

It runs on as many threads as OMP_NUM_THREADS says, by default on all cores; those that wait sleep.
"""

import os

from gcnet_caffe.engine import import_torch
from gcnet_caffe.errors import UsageError
from gcnet_caffe.onnx import import_onnx


def open_backend(model):
    """Open the `TrainedModel` in ONNX Runtime, on the CPU."""
    import_torch()
    import_onnx()
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise UsageError(
            "the back end onnxruntime needs it: pip install 'gcnet-caffe[onnx]'"
        ) from None
    from gcnet_caffe.inference.onnx_file import model_onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # what it would fuse and reorder rounds otherwise than Caffe, and finds other maxima in pooling
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        model_onnx(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return _OnnxRuntime(session, model.outputs)


class _OnnxRuntime:
    def __init__(self, session, outputs):
        self._session, self._outputs = session, outputs

    def forward(self, query):
        """As the package's docstring says."""
        return dict(zip(self._outputs, self._session.run(self._outputs, {"query": query})))
