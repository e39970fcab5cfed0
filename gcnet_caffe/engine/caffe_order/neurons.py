"""BNLL, ELU, Exp, Log, Power, Sigmoid, Swish and TanH by the functions of the C library.

PyTorch has its own functions. Source: Caffe src/caffe/layers/<name>_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import Array, exp, log, power, sigmoid, softplus, tanh
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


def log_of(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """Log."""
    param = layer.param.log_param
    shift, factor = _F(param.shift), _F(param.scale)
    log_of_base = _F(1) if param.base == -1 else log(_F(param.base))
    inner = bottom * factor + shift
    top = log(inner) * (_F(1) / log_of_base)

    def back(gradient: Array) -> list[Array]:
        return [gradient * (power(inner, -1) * (factor / log_of_base))]

    return top, back


def power_of(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """Power, where it is not linear."""
    param = layer.param.power_param
    return raised(bottom, _F(param.power), _F(param.scale), _F(param.shift))


def raised(
    bottom: Array, exponent: np.float32, factor: np.float32, shift: np.float32
) -> tuple[Array, Callable[[Array], list[Array]]]:
    """Return (bottom * factor + shift) ^ exponent, as a rule does."""
    inner = bottom * factor + shift
    top = power(inner, exponent)

    def back(gradient: Array) -> list[Array]:
        if exponent == 2:
            slope = bottom * (exponent * factor * factor) + exponent * factor * shift
        elif shift == 0:
            slope = top / bottom * exponent
        else:
            slope = top / inner * (exponent * factor)
        return [gradient * slope]

    return top, back


def elu(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """ELU."""
    alpha = _F(layer.param.elu_param.alpha)
    top = np.maximum(bottom, 0) + alpha * (exp(np.minimum(bottom, 0)) - _F(1))

    def back(gradient: Array) -> list[Array]:
        return [gradient * ((bottom > 0) + (alpha + top) * (bottom <= 0))]

    return top, back


def bnll(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """BNLL."""

    def back(gradient: Array) -> list[Array]:
        power_of_e = exp(np.minimum(bottom, 50))
        found: Array = (gradient * power_of_e / (power_of_e.astype(np.float64) + 1)).astype(_F)
        return [found]

    return softplus(bottom), back


def swish(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """Swish."""
    beta = _F(layer.param.swish_param.beta)
    share = sigmoid(bottom * beta)
    top = bottom * share

    def back(gradient: Array) -> list[Array]:
        scaled = top * beta
        slope = scaled + share * (1 - scaled.astype(np.float64))
        return [(gradient * slope).astype(_F)]

    return top, back


def tanh_of(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """TanH."""
    top = tanh(bottom)

    def back(gradient: Array) -> list[Array]:
        return [gradient * (1 - top * top)]

    return top, back


def sigmoid_of(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """Sigmoid."""
    top = sigmoid(bottom)

    def back(gradient: Array) -> list[Array]:
        return [sigmoid_back(top, gradient)]

    return top, back


def sigmoid_back(top: Array, gradient: Array) -> Array:
    """Return the gradient of the bottom of a Sigmoid."""
    found: Array = ((gradient * top) * (1 - top.astype(np.float64))).astype(_F)
    return found
