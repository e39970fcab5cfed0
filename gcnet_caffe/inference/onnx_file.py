"""A trained network as one ONNX file that tells how to use it."""

from gcnet_caffe.files import sha256
from gcnet_caffe.onnx.export import onnx_model


def model_onnx(model):
    """The `TrainedModel` `model` as a ModelProto.

    Its metadata are those of ``model.json``: ``classes``, ``preprocessing`` and ``training`` as
    JSON, ``network``; and the SHA-256 of the Caffe files that it was made of.
    """
    facts = {key: value for key, value in model.facts.items() if key != "format"}
    facts.update(net_sha256=sha256(model.net), weights_sha256=sha256(model.weights))
    return onnx_model(model.net, model.weights, model.outputs, facts)
