"""Layers that work on each element: see engine/layers/neuron.py for the formulas."""

from __future__ import annotations

import math

from gcnet_caffe.engine.layers.neuron import (
    BNLL,
    ELU,
    AbsVal,
    Clip,
    Dropout,
    Exp,
    Log,
    Power,
    PReLU,
    ReLU,
    Sigmoid,
    Swish,
    TanH,
)
from gcnet_caffe.onnx.graph import Graph, Value
from gcnet_caffe.onnx.layers.base import converts

_SIMPLE = {"AbsVal": "Abs", "BNLL": "Softplus", "Sigmoid": "Sigmoid", "TanH": "Tanh"}


@converts(*_SIMPLE)
def simple(graph: Graph, layer: AbsVal | BNLL | Sigmoid | TanH, bottom: Value) -> str:
    """AbsVal, BNLL, Sigmoid or TanH: one node of another name."""
    return graph.add(_SIMPLE[layer.param.type], bottom.name)


@converts("Swish")
def swish(graph: Graph, layer: Swish, bottom: Value) -> str:
    """x times the sigmoid of beta x."""
    gate = graph.add("Sigmoid", _scaled(graph, bottom.name, layer.param.swish_param.beta, 0))
    return graph.add("Mul", bottom.name, gate)


@converts("ReLU")
def relu(graph: Graph, layer: ReLU, bottom: Value) -> str:
    """ReLU, or LeakyRelu where it has a negative slope."""
    slope = layer.param.relu_param.negative_slope
    if slope:
        return graph.add("LeakyRelu", bottom.name, alpha=slope)
    return graph.add("Relu", bottom.name)


@converts("PReLU")
def prelu(graph: Graph, layer: PReLU, bottom: Value) -> str:
    """PRelu with the learned slopes, one per channel or one for all."""
    after = (1,) * (len(bottom.shape) - 2)
    slopes = graph.weight(layer, 0, lambda blob: blob.reshape(-1, *after))
    return graph.add("PRelu", bottom.name, slopes)


@converts("ELU")
def elu(graph: Graph, layer: ELU, bottom: Value) -> str:
    """ELU with the layer's alpha."""
    return graph.add("Elu", bottom.name, alpha=layer.param.elu_param.alpha)


@converts("Clip")
def clip(graph: Graph, layer: Clip, bottom: Value) -> str:
    """Clip between the layer's min and max."""
    param = layer.param.clip_param
    return graph.add("Clip", bottom.name, graph.constant(param.min), graph.constant(param.max))


@converts("Power")
def power(graph: Graph, layer: Power, bottom: Value) -> str:
    """(shift + scale x) to a power."""
    param = layer.param.power_param
    if param.power == 0 or param.scale == 0:  # the shift everywhere, whatever the bottom
        inner = graph.add("Expand", graph.constant(param.shift), graph.add("Shape", bottom.name))
    else:
        inner = _scaled(graph, bottom.name, param.scale, param.shift)
    return inner if param.power == 1 else graph.add("Pow", inner, graph.constant(param.power))


@converts("Exp")
def exp(graph: Graph, layer: Exp, bottom: Value) -> str:
    """base to the power of shift + scale x."""
    param = layer.param.exp_param
    log = math.log(param.base) if param.base != -1 else 1.0
    return graph.add("Exp", _scaled(graph, bottom.name, log * param.scale, log * param.shift))


@converts("Log")
def log(graph: Graph, layer: Log, bottom: Value) -> str:
    """The logarithm of shift + scale x to the base."""
    param = layer.param.log_param
    top = graph.add("Log", _scaled(graph, bottom.name, param.scale, param.shift))
    return top if param.base == -1 else graph.add("Div", top, graph.constant(math.log(param.base)))


@converts("Dropout")
def dropout(graph: Graph, layer: Dropout, bottom: Value) -> str:
    """The bottom itself: in Caffe's TEST phase Dropout does nothing."""
    return bottom.name


def _scaled(graph: Graph, name: str, scale: float, shift: float) -> str:
    if scale != 1:
        name = graph.add("Mul", name, graph.constant(scale))
    return graph.add("Add", name, graph.constant(shift)) if shift else name
