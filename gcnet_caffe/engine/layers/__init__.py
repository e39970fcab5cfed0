"""The layer types of the engine; a new one is a class here with `@register("Type")`."""

from __future__ import annotations

from gcnet_caffe.engine.layers import (  # noqa: F401  each registers its layer types
    accuracy,
    batch_norm,
    combine,
    convolution,
    data,
    forks,
    hdf5_data,
    image_data,
    inner_product,
    losses,
    neuron,
    normalization,
    pooling,
    python,
    recurrent,
    scale,
    shape,
)
from gcnet_caffe.engine.layers.base import TEST, TRAIN, Context, Layer, create_layer, layer_types

__all__ = ["TEST", "TRAIN", "Context", "Layer", "create_layer", "layer_types"]
