"""BatchNorm and Scale. Source: Caffe src/caffe/layers/batch_norm_layer.cpp, scale_layer.cpp."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import Array, axpby, column_sums, dot, row_sums
from gcnet_caffe.engine.caffe_order.rule import Back, Top, gradient_of, values

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.batch_norm import BatchNorm
    from gcnet_caffe.engine.layers.scale import Scale

_F = np.float32


def _by_channel(x: Array, alpha: float = 1.0) -> Array:
    """Return alpha times the sums of x (N x C x pixels) by channel, as C x 1."""
    sums = row_sums(x.reshape(-1, x.shape[2]), alpha)
    return column_sums(sums.reshape(x.shape[:2]))[:, None]


def batch_norm(layer: BatchNorm, bottom: Array) -> tuple[Top, Back]:
    """BatchNorm; updates the layer's blobs."""
    x = bottom.reshape(*bottom.shape[:2], -1)
    count = x.shape[0] * x.shape[2]
    mean: Array
    variance: Array
    if layer.use_global:
        factor = values(layer, 2)[0]
        factor = _F(0) if factor == 0 else _F(1) / factor
        mean, variance = ((values(layer, index) * factor)[:, None] for index in (0, 1))
        top = x - mean
    else:
        mean = _by_channel(x, 1 / count)
        top = x - mean
        variance = _by_channel(top * top, 1 / count)
        _gather(layer, mean, variance, count)
    deviation = np.sqrt(variance + _F(layer.param.batch_norm_param.eps))
    top /= deviation

    def back(gradient: Array) -> list[Array]:
        gradient = gradient.reshape(x.shape)
        if not layer.use_global:
            found = top * _by_channel(top * gradient) + _by_channel(gradient)
            gradient = found * _F(-1 / count) + gradient
        return [(gradient / deviation).reshape(bottom.shape)]

    return top.reshape(bottom.shape), back


def _gather(layer: BatchNorm, mean: Array, variance: Array, count: int) -> None:
    fraction = _F(layer.param.batch_norm_param.moving_average_fraction)
    kept = [values(layer, index) for index in range(3)]
    kept[2] *= fraction
    kept[2] += 1
    axpby(1.0, mean[:, 0], fraction, kept[0])
    axpby(_F(count) / _F(max(count - 1, 1)), variance[:, 0], fraction, kept[1])


def scale(layer: Scale, bottom: Array, factors: Array | None = None) -> tuple[Top, Back]:
    """Scale, by a blob or by a second bottom that is smaller than the first."""
    learned = factors is None
    factors = values(layer, 0) if factors is None else factors
    shape = factors.shape
    factors = factors.reshape(-1, 1)
    outer = math.prod(bottom.shape[: layer.first]) if shape else 1
    x = bottom.reshape(outer, len(factors), -1)
    top = x * factors
    has_bias = layer.param.scale_param.bias_term
    if has_bias:
        top += values(layer, int(learned)).reshape(-1, 1)

    def back(gradient: Array) -> list[Array | None]:
        gradient = gradient.reshape(x.shape)
        to_bias = gradient_of(layer, int(learned)) if has_bias else None
        if to_bias is not None:
            for image in gradient:
                row_sums(image, out=to_bias.reshape(-1))
        to_bottom = (gradient * factors).reshape(bottom.shape)
        out = gradient_of(layer, 0) if learned else np.zeros(shape, _F)
        if out is not None:
            _add_products(gradient * x, out.reshape(-1))
        return [to_bottom] if learned else [to_bottom, out]

    return top.reshape(bottom.shape), back


def _add_products(product: Array, out: Array) -> None:
    """Add the sums of product (outer x factors x inner) to `out`, in one of Caffe's four ways."""
    outer, count, inner = product.shape
    sums = product.reshape(-1, inner)
    if len(sums) == 1:
        out += dot(sums, np.ones_like(sums))
        return
    sums = sums.reshape(-1) if inner == 1 else row_sums(sums)
    if outer == 1:
        out += sums
    elif count == 1:
        out += dot(np.ones_like(sums), sums)
    else:
        column_sums(sums.reshape(outer, count), out=out)
