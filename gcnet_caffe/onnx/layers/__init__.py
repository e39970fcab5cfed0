"""How each layer type becomes ONNX nodes; a new one is a function here with `@converts("Type")`."""

from gcnet_caffe.onnx.layers import (  # noqa: F401  each registers its layer types
    combine,
    filters,
    forks,
    neuron,
    normalization,
    own,
    pooling,
    scale,
    shape,
)
from gcnet_caffe.onnx.layers.base import CONVERTERS

__all__ = ["CONVERTERS"]
