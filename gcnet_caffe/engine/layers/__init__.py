"""The layer types of the engine; a new one is a class here with `@register("Type")`."""

from gcnet_caffe.engine.layers import (
    accuracy,
    batch_norm,
    combine,
    convolution,
    data,
    inner_product,
    losses,
    neuron,
    normalization,
    pooling,
    scale,
    shape,
)
from gcnet_caffe.engine.layers.base import TEST, TRAIN, Context, Layer, create_layer, layer_types

__all__ = ["TEST", "TRAIN", "Context", "Layer", "create_layer", "layer_types"]

#: The modules that register the layer types.
MODULES = (
    accuracy,
    batch_norm,
    combine,
    convolution,
    data,
    inner_product,
    losses,
    neuron,
    normalization,
    pooling,
    scale,
    shape,
)
