"""ONNX Runtime: the net is written as an ONNX file in memory when it is opened.

It runs on as many threads as OMP_NUM_THREADS says, by default on all cores; those that wait sleep.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine import import_torch
from gcnet_caffe.errors import extra
from gcnet_caffe.inference.network import Network
from gcnet_caffe.onnx import import_onnx


class Engine(Network):
    """A net in ONNX Runtime."""

    def _open(self, weights: str | Path, fast: bool) -> None:
        import_torch()
        import_onnx()
        with extra("onnx", "the engine onnxruntime"):
            import onnxruntime
        from gcnet_caffe.onnx.export import onnx_model

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # fused and reordered, sums round otherwise than Caffe's, and pooling finds other maxima
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        model = onnx_model(self.net, weights, self.outputs).SerializeToString()
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def forward(self, inputs: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        return dict(zip(self.outputs, self._session.run(self.outputs, dict(inputs))))
