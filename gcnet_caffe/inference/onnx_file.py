"""A trained network as one ONNX file that says how to use it."""

from __future__ import annotations

from typing import Any

from gcnet_caffe.files import sha256
from gcnet_caffe.inference.model import TrainedModel
from gcnet_caffe.onnx.export import onnx_model


def model_onnx(model: TrainedModel) -> Any:
    """Return a trained network as an ONNX ModelProto.

    Its metadata are those of ``model.json``: ``classes``, ``preprocessing``, ``training`` and, if
    there is one, ``calibration`` as JSON, which is not applied to ``prob``; ``network``; and the
    SHA-256 of the Caffe files that it was made from.
    """
    facts: dict[str, object] = {key: value for key, value in model.facts.items() if key != "format"}
    facts.update(net_sha256=sha256(model.net), weights_sha256=sha256(model.weights))
    return onnx_model(model.net, model.weights, model.outputs, facts)
