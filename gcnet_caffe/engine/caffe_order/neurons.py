"""Exp, Sigmoid and TanH by the C library's functions; PyTorch has its own.

Source: Caffe src/caffe/layers/<name>_layer.cpp.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import Array, exp, log, power, tanh
from gcnet_caffe.engine.caffe_order.rule import Back, Top

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer

_F = np.float32


def exp_of(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """Exp."""
    param = layer.param.exp_param
    natural, shift = param.base == -1, _F(param.shift)
    inner = _F(param.scale) * (_F(1) if natural else log(_F(param.base)))
    outer = exp(shift) if natural else power(_F(param.base), shift)
    top = exp(bottom if inner == 1 else bottom * inner)
    top = top if outer == 1 else top * outer

    def back(gradient: Array) -> list[Array]:
        found = top * gradient
        return [found if inner == 1 else found * inner]

    return top, back


def tanh_of(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """TanH."""
    top = tanh(bottom)

    def back(gradient: Array) -> list[Array]:
        return [gradient * (1 - top * top)]

    return top, back


def sigmoid(x: Array) -> Array:
    """Return Caffe's sigmoid of each element: by tanh, in double precision."""
    halves = map(math.tanh, (0.5 * x.astype(np.float64)).reshape(-1))
    return (0.5 * np.fromiter(halves, np.float64, x.size) + 0.5).astype(_F).reshape(x.shape)


def sigmoid_of(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """Sigmoid."""
    top = sigmoid(bottom)

    def back(gradient: Array) -> list[Array]:
        return [((gradient * top) * (1 - top.astype(np.float64))).astype(_F)]

    return top, back
