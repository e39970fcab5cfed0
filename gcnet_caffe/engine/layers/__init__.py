"""The layer types of the engine; a new one is a class here with `@register("Type")`."""

from gcnet_caffe.engine.layers.base import TEST, TRAIN, Context, Layer, create_layer, layer_types

__all__ = ["TEST", "TRAIN", "Context", "Layer", "create_layer", "layer_types"]
