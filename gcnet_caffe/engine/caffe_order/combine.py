"""NormalizedDistance, Reduction, Eltwise, Split and Tile.

Source: native/kernels.hpp, Caffe src/caffe/layers/reduction_layer.cpp, eltwise_layer.cpp,
split_layer.cpp, tile_layer.cpp.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import Array, absolute_sum, dot
from gcnet_caffe.engine.caffe_order.rule import Back, Top

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer
    from gcnet_caffe.engine.layers.combine import Eltwise, Reduction
    from gcnet_caffe.engine.layers.shape import Tile

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


def reduction(layer: Reduction, bottom: Array) -> tuple[Top, Back]:
    """Reduction."""
    param, leading = layer.param.reduction_param, bottom.shape[: layer.first]
    rows = bottom.reshape(math.prod(leading), -1)
    operation = param.operation
    coeff = _F(param.coeff) / _F(rows.shape[1] if operation == param.MEAN else 1)
    ones = np.ones_like(rows[0])
    if operation == param.ASUM:
        sums = [absolute_sum(row) for row in rows]
    else:
        sums = [dot(row if operation == param.SUMSQ else ones, row) for row in rows]
    top = np.array(sums) * coeff

    def back(gradient: Array) -> list[Array]:
        factor = (gradient.reshape(-1) * coeff)[:, None]
        if operation == param.ASUM:
            found = np.sign(rows) * factor
        elif operation == param.SUMSQ:
            found = rows * (2 * factor)
        else:
            found = np.repeat(factor, rows.shape[1], 1)
        return [found.reshape(bottom.shape)]

    return top.reshape(leading), back


def eltwise(layer: Eltwise, *bottoms: Array) -> tuple[Top, Back]:
    """Eltwise: a sum or a product."""
    param = layer.param.eltwise_param
    coeffs = list(map(_F, layer.coeffs))
    if param.operation == param.PROD:
        top = functools.reduce(np.multiply, bottoms)
    else:
        top = functools.reduce(np.add, (bottom * c for bottom, c in zip(bottoms, coeffs)))

    def back(gradient: Array) -> list[Array]:
        if param.operation == param.SUM:
            return [gradient * c for c in coeffs]
        found = []
        for index, bottom in enumerate(bottoms):
            others = bottoms[:index] + bottoms[index + 1 :]
            factor = (
                functools.reduce(np.multiply, others) if param.stable_prod_grad else top / bottom
            )
            found.append(factor * gradient)
        return found

    return top, back


def _added(parts: Sequence[Array]) -> Array:
    """Return the sum from the first part to the last; autograd may add to it in place."""
    return functools.reduce(np.add, parts[1:], parts[0].copy())


def split(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """Split."""

    def back(*gradients: Array) -> list[Array]:
        return [_added(gradients)]

    return (bottom,) * layer.num_tops, back


def tile(layer: Tile, bottom: Array) -> tuple[Top, Back]:
    """Tile."""
    tiles, dim = layer.param.tile_param.tiles, layer.dim

    def back(gradient: Array) -> list[Array]:
        return [_added(np.split(gradient, tiles, dim))]

    return np.concatenate([bottom] * tiles, dim), back
