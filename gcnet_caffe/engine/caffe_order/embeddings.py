"""What the nets do with two embeddings: NormalizedDistance, Power and Reduction.

Source: native/kernels.hpp, Caffe src/caffe/layers/power_layer.cpp, reduction_layer.cpp.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import Array, dot, power
from gcnet_caffe.engine.caffe_order.rule import Back, Top

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer
    from gcnet_caffe.engine.layers.combine import Reduction

_F = np.float32


def _sum_by_row(products: Array) -> Array:
    sums: Array = products.sum(1, keepdims=True, dtype=np.float64).astype(_F)
    return sums


def normalized_distance(layer: Layer, a: Array, b: Array) -> tuple[Top, Back]:
    """NormalizedDistance."""
    rows = [x.reshape(len(x), -1) for x in (a, b)]
    inverse = [_F(1) / np.sqrt(_sum_by_row(x * x) + _F(1e-6)) for x in rows]
    units = [x * one for x, one in zip(rows, inverse)]
    difference = units[0] - units[1]

    def back(gradient: Array) -> list[Array]:
        towards = np.sign(difference) * gradient
        found = []
        for unit, one, slope in zip(units, inverse, (towards, -towards)):
            along = _sum_by_row(unit * slope)
            found.append(((slope - unit * along) * one).reshape(a.shape))
        return found

    return np.abs(difference), back


def power_of(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """Power, where it is not linear."""
    param = layer.param.power_param
    exponent, factor, shift = _F(param.power), _F(param.scale), _F(param.shift)
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


def reduction(layer: Reduction, bottom: Array) -> tuple[Top, Back]:
    """Reduction to a SUM or a MEAN."""
    param, leading = layer.param.reduction_param, bottom.shape[: layer.first]
    rows = bottom.reshape(math.prod(leading), -1)
    coeff = _F(param.coeff) / _F(rows.shape[1] if param.operation == param.MEAN else 1)
    ones = np.ones_like(rows[0])
    top = np.array([dot(ones, row) for row in rows]) * coeff

    def back(gradient: Array) -> list[Array]:
        return [np.repeat(gradient.reshape(-1) * coeff, rows.shape[1]).reshape(bottom.shape)]

    return top.reshape(leading), back
