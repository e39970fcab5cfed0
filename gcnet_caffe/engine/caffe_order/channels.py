"""BatchNorm, MVN, PReLU, Scale and Bias: what has one number per channel.

Source: Caffe src/caffe/layers/<name>_layer.cpp.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import (
    ROWS,
    Array,
    axpby,
    column_sums,
    dot,
    power,
    row_sums,
)
from gcnet_caffe.engine.caffe_order.images import add_to_bias
from gcnet_caffe.engine.caffe_order.rows import affine, divided, normalized_back, summed_products
from gcnet_caffe.engine.caffe_order.rule import Back, Top, gradient_of, values
from gcnet_caffe.engine.loops import share

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer
    from gcnet_caffe.engine.layers.batch_norm import BatchNorm
    from gcnet_caffe.engine.layers.scale import Bias, Scale

_F = np.float32


def _by_channel(x: Array, alpha: float = 1.0) -> Array:
    """Return alpha times the sums of x (N x C x pixels) by channel."""
    return column_sums(row_sums(x.reshape(-1, x.shape[2]), alpha).reshape(x.shape[:2]))


def batch_norm(layer: BatchNorm, bottom: Array) -> tuple[Top, Back]:
    """BatchNorm; updates the layer's blobs."""
    x = bottom.reshape(*bottom.shape[:2], -1)
    count = x.shape[0] * x.shape[2]
    ones = np.ones(x.shape[1], _F)
    mean: Array
    variance: Array
    if layer.use_global:
        factor = values(layer, 2)[0]
        factor = _F(0) if factor == 0 else _F(1) / factor
        mean, variance = (values(layer, index) * factor for index in (0, 1))
        top = affine(x, ones, -mean)
    else:
        mean = _by_channel(x, 1 / count)
        top = affine(x, ones, -mean)
        variance = column_sums(summed_products(top, top, 1 / count))
        _gather(layer, mean, variance, count)
    deviation = np.sqrt(variance + _F(layer.param.batch_norm_param.eps))
    top = divided(top, deviation)

    def back(gradient: Array) -> list[Array]:
        gradient = gradient.reshape(x.shape)
        if layer.use_global:
            return [divided(gradient, deviation).reshape(bottom.shape)]
        along, total = column_sums(summed_products(top, gradient)), _by_channel(gradient)
        found = normalized_back(top, gradient, along, total, _F(-1 / count), deviation)
        return [found.reshape(bottom.shape)]

    return top.reshape(bottom.shape), back


def _gather(layer: BatchNorm, mean: Array, variance: Array, count: int) -> None:
    fraction = _F(layer.param.batch_norm_param.moving_average_fraction)
    kept = [values(layer, index) for index in range(3)]
    kept[2] *= fraction
    kept[2] += 1
    axpby(1.0, mean, fraction, kept[0])
    axpby(_F(count) / _F(max(count - 1, 1)), variance, fraction, kept[1])


def mvn(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """MVN; its rows are what is normalized, each a channel of its own here."""
    param = layer.param.mvn_param
    shape = bottom.shape + (1,) * (4 - bottom.ndim)
    count = shape[0] if param.across_channels else shape[0] * shape[1]
    x = bottom.reshape(1, count, -1)
    share_of_one, ones = 1 / x.shape[2], np.ones(count, _F)
    top = affine(x, ones, -row_sums(x[0], share_of_one))
    if param.normalize_variance:
        variance = row_sums(power(top[0], 2), share_of_one)
        deviation = power(variance, 0.5) + _F(param.eps)
        top = divided(top, deviation)

    def back(gradient: Array) -> list[Array]:
        gradient = gradient.reshape(x.shape)
        if not param.normalize_variance:
            found = affine(gradient, ones, -row_sums(gradient[0], share_of_one))
        else:
            along, total = summed_products(top, gradient)[0], row_sums(gradient[0])
            factor = _F(-share_of_one)
            found = normalized_back(top, gradient, along, total, factor, deviation)
        return [found.reshape(bottom.shape)]

    return top.reshape(shape), back


def prelu(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """PReLU."""
    x = bottom.reshape(*bottom.shape[:2], -1)
    slope = values(layer, 0).reshape(-1, 1)
    top = np.maximum(x, 0) + slope * np.minimum(x, 0)

    def back(gradient: Array) -> list[Array]:
        gradient = gradient.reshape(x.shape)
        to_slope = gradient_of(layer, 0)
        if to_slope is not None:
            terms = gradient * x * (x <= 0)
            if len(slope) > 1:
                terms = terms.transpose(1, 0, 2)
            terms = terms.reshape(len(slope), -1)
            so_far = to_slope.reshape(-1, 1)
            total = np.add.accumulate(np.concatenate([so_far, terms], 1), axis=1, dtype=_F)
            so_far[:] = total[:, -1:]
        factor = (x > 0) + slope * (x <= 0)
        return [(gradient * factor).reshape(bottom.shape)]

    return top.reshape(bottom.shape), back


def scale(layer: Scale, bottom: Array, factors: Array | None = None) -> tuple[Top, Back]:
    """Scale, by a blob or by a second bottom that is smaller than the first."""
    learned = factors is None
    factors = values(layer, 0) if factors is None else factors
    shape = factors.shape
    factors = factors.reshape(-1)
    outer = math.prod(bottom.shape[: layer.first]) if shape else 1
    x = bottom.reshape(outer, len(factors), -1)
    has_bias = layer.param.scale_param.bias_term
    bias = values(layer, int(learned)).reshape(-1) if has_bias else None
    top = affine(x, factors, bias)

    def back(gradient: Array) -> list[Array | None]:
        gradient = gradient.reshape(x.shape)
        to_bias = gradient_of(layer, int(learned)) if has_bias else None
        if to_bias is not None:
            _add_sums(gradient, to_bias)
        to_bottom = affine(gradient, factors).reshape(bottom.shape)
        out = gradient_of(layer, 0) if learned else np.zeros(shape, _F)
        if out is not None:
            _add_products(gradient, x, out.reshape(-1))
        return [to_bottom] if learned else [to_bottom, out]

    return top.reshape(bottom.shape), back


def _add_sums(gradient: Array, to_bias: Array) -> None:
    """Add the sums of gradient (outer x bias x inner) to `to_bias`, one of outer after another."""
    outer, count, inner = gradient.shape
    flat = gradient.reshape(outer, -1), inner, to_bias.reshape(-1)
    share(add_to_bias, count, outer * inner, *flat, step=ROWS)


def _add_products(gradient: Array, x: Array, out: Array) -> None:
    """Add the sums of gradient * x (outer x factors x inner) to `out`, in one of Caffe's ways."""
    outer, count, inner = x.shape
    if outer * count == 1:
        product = gradient * x
        out += dot(product, np.ones_like(product))
        return
    sums = gradient * x if inner == 1 else summed_products(gradient, x)
    if outer == 1:
        out += sums.reshape(-1)
    elif count == 1:
        out += dot(np.ones_like(sums), sums)
    else:
        column_sums(sums.reshape(outer, count), out=out)


def bias(layer: Bias, bottom: Array, added: Array | None = None) -> tuple[Top, Back]:
    """Bias, by a blob or by a second bottom that is smaller than the first."""
    learned = added is None
    added = values(layer, 0) if added is None else added
    outer = math.prod(bottom.shape[: layer.first]) if added.shape else 1
    x = bottom.reshape(outer, added.size, -1)
    top = x + added.reshape(-1, 1)

    def back(gradient: Array) -> list[Array | None]:
        out = gradient_of(layer, 0) if learned else np.zeros(added.shape, _F)
        if out is not None:
            _add_sums(gradient.reshape(x.shape), out)
        to_bottom = gradient.copy()  # autograd may add to it in place
        return [to_bottom] if learned else [to_bottom, out]

    return top.reshape(bottom.shape), back
