"""Layers that Caffe computes as products of matrices, and Embed.

Source: Caffe src/caffe/layers/base_conv_layer.cpp, conv_layer.cpp, deconv_layer.cpp,
im2col_layer.cpp, inner_product_layer.cpp, embed_layer.cpp.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine.caffe_order import images
from gcnet_caffe.engine.caffe_order.blas import ROWS, Array, column_sums, gemm
from gcnet_caffe.engine.caffe_order.images import Three, Windows
from gcnet_caffe.engine.caffe_order.rule import Back, Top, gradient_of, numbered, values
from gcnet_caffe.engine.loops import compiled, share

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.convolution import Convolution, Deconvolution, Im2col
    from gcnet_caffe.engine.layers.inner_product import Embed, InnerProduct

_NO_BIAS = np.empty(0, np.float32)


def _three(sizes: Sequence[int], missing: int) -> Three:
    """Return depth, height and width, `missing` in place of those that are not given."""
    return cast(Three, (*[missing] * (3 - len(sizes)), *map(int, sizes)))


def _windows(
    layer: Convolution | Deconvolution | Im2col, wide: Sequence[int], narrow: Sequence[int]
) -> Windows:
    first = layer.channel_axis + 1
    return Windows(
        _three(layer.kernel, 1),
        _three(layer.stride, 1),
        _three(layer.padding, 0),
        _three(layer.dilation, 1),
        _three(wide[first:], 1),
        _three(narrow[first:], 1),
    )


def convolution(
    layer: Convolution | Deconvolution, *bottoms: Array, transposed: bool = False
) -> tuple[Top, Back]:
    """Convolution; with `transposed`, Deconvolution."""
    axis, shape = layer.channel_axis, bottoms[0].shape
    top_shape = layer.top_shapes([shape])[0]
    wide, narrow = (top_shape, shape) if transposed else (shape, top_shape)
    windows = _windows(layer, wide, narrow)
    count, channels, pixels = (
        math.prod(shape[:axis]),
        narrow[axis],
        math.prod(top_shape[axis + 1 :]),
    )
    weight = values(layer, 0).reshape(-1)
    bias = values(layer, 1) if len(layer.blobs) > 1 else _NO_BIAS
    sides = channels, layer.group, windows
    work = weight.size * math.prod(windows.narrow)  # of an image
    rows = [bottom.reshape(count, -1) for bottom in bottoms]
    ways = images.make_narrow, images.make_wide
    there, back_again = ways[::-1] if transposed else ways

    def top_of(bottom: Array) -> Array:
        top = np.empty((count, math.prod(top_shape[axis:])), np.float32)
        share(there, count, work, bottom, weight, bias, top, *sides)
        return top.reshape(top_shape)

    def to_bottom(gradient: Array) -> Array:
        found = np.empty(rows[0].shape, np.float32)
        share(back_again, count, work, gradient, weight, _NO_BIAS, found, *sides)
        return found.reshape(shape)

    def back(*gradients: Array) -> list[functools.partial[Array]]:
        to_weight, to_bias = gradient_of(layer, 0), gradient_of(layer, 1)
        changes = [gradient.reshape(count, -1) for gradient in gradients]
        for bottom, change in zip(rows, changes):
            if to_bias is not None:
                size = count * pixels
                share(images.add_to_bias, len(bias), size, change, pixels, to_bias, step=ROWS)
            if to_weight is not None:
                both = (change, bottom) if transposed else (bottom, change)
                size = count * work // wide[axis]
                share(images.add_to_weight, wide[axis], size, *both, to_weight.reshape(-1), *sides)
        return [functools.partial(to_bottom, change) for change in changes]

    tops = tuple(map(top_of, rows))
    return (tops if len(tops) > 1 else tops[0]), back


def deconvolution(layer: Deconvolution, *bottoms: Array) -> tuple[Top, Back]:
    """Deconvolution."""
    return convolution(layer, *bottoms, transposed=True)


def im2col(layer: Im2col, bottom: Array) -> tuple[Top, Back]:
    """Im2col."""
    axis, shape = layer.channel_axis, layer.top_shapes([bottom.shape])[0]
    count, windows = math.prod(shape[:axis]), _windows(layer, bottom.shape, shape)
    size = (count, shape[axis], math.prod(shape[axis + 1 :]))
    top, wide = np.empty(size, np.float32), bottom.reshape(count, -1)
    share(images.to_columns, count, top.size // count, wide, top, windows, False)

    def back(gradient: Array) -> list[Array]:
        found = np.zeros_like(wide)
        work = top.size // count
        share(images.to_columns, count, work, found, gradient.reshape(size), windows, True)
        return [found.reshape(bottom.shape)]

    return top.reshape(shape), back


def embed(layer: Embed, bottom: Array) -> tuple[Top, Back]:
    """Embed."""
    weight = values(layer, 0)
    words = numbered(layer, bottom.reshape(-1), len(weight))
    top = weight[words]
    if len(layer.blobs) > 1:
        top += values(layer, 1)

    def back(gradient: Array) -> list[None]:
        changes = gradient.reshape(top.shape)
        to_weight, to_bias = gradient_of(layer, 0), gradient_of(layer, 1)
        if to_weight is not None:
            share(_add_rows, top.shape[1], len(words), changes, words, to_weight)
        if to_bias is not None:
            column_sums(changes, out=to_bias)
        return [None]

    return top.reshape(*bottom.shape, top.shape[1]), back


@compiled
def _add_rows(
    changes: Array, words: NDArray[np.int64], weight: Array, start: int, stop: int
) -> None:
    """Add columns `start` to `stop` of the changes to the rows of `weight` that `words` number."""
    for place in range(len(words)):
        row = weight[words[place]]
        for column in range(start, stop):
            row[column] += changes[place, column]


def inner_product(layer: InnerProduct, bottom: Array) -> tuple[Top, Back]:
    """InnerProduct."""
    param = layer.param.inner_product_param
    leading = bottom.shape[: layer.first]
    rows, weight = bottom.reshape(math.prod(leading), -1), values(layer, 0)
    top = np.empty((len(rows), param.num_output), np.float32)
    gemm(False, not param.transpose, rows, weight, top)
    if len(layer.blobs) > 1:
        top += values(layer, 1)

    def back(gradient: Array) -> list[functools.partial[Array]]:
        gradient = gradient.reshape(top.shape)
        to_weight, to_bias = gradient_of(layer, 0), gradient_of(layer, 1)
        if to_weight is not None:
            pair: tuple[Array, Array] = (rows, gradient) if param.transpose else (gradient, rows)
            gemm(True, False, *pair, to_weight, beta=1.0)
        if to_bias is not None:
            column_sums(gradient, out=to_bias)
        return [functools.partial(to_bottom, gradient)]

    def to_bottom(gradient: Array) -> Array:
        found = gemm(False, param.transpose, gradient, weight, np.empty_like(rows))
        return found.reshape(bottom.shape)

    return top.reshape(*leading, param.num_output), back
