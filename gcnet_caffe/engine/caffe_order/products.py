"""Layers that Caffe computes as products of matrices.

Source: Caffe src/caffe/layers/base_conv_layer.cpp, conv_layer.cpp, deconv_layer.cpp,
inner_product_layer.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from gcnet_caffe.engine.caffe_order.blas import Array, column_sums, gemm, row_sums
from gcnet_caffe.engine.caffe_order.rule import Back, Top, gradient_of, values

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.convolution import Convolution, Deconvolution
    from gcnet_caffe.engine.layers.inner_product import InnerProduct


class _Products:
    """im2col and the three products of it, for one image.

    The wide side of a layer, of size `wide` (height, width), is the one that im2col is made of:
    the bottom of a Convolution, the top of a Deconvolution. The other side is narrow.
    """

    def __init__(self, layer: Convolution | Deconvolution, wide: Sequence[int]) -> None:
        self.kernel, self.wide = layer.kernel, tuple(wide)
        self.spatial: dict[str, Any] = {
            "padding": layer.padding,
            "stride": layer.stride,
            "dilation": layer.dilation,
        }
        self.shape = (layer.group, layer.blob_shapes[0][0] // layer.group, -1)
        self.weight = values(layer, 0).reshape(self.shape)

    def columns(self, image: Array) -> Array:
        found = F.unfold(torch.from_numpy(image)[None], self.kernel, **self.spatial)
        return found.numpy().reshape(len(self.weight), self.weight.shape[2], -1)

    def narrow(self, image: Array) -> Array:
        """Return the narrow side made from the wide one."""
        columns = self.columns(image)
        top = np.empty((*self.weight.shape[:2], columns.shape[2]), np.float32)
        for of_group in zip(self.weight, columns, top):
            gemm(False, False, *of_group)
        return top

    def widen(self, image: Array) -> Array:
        """Return the wide side made from the narrow one."""
        image = image.reshape(self.shape)
        columns = np.empty((len(image), self.weight.shape[2], image.shape[2]), np.float32)
        for of_group in zip(self.weight, image, columns):
            gemm(True, False, *of_group)
        flat = torch.from_numpy(columns.reshape(1, -1, image.shape[2]))
        return F.fold(flat, self.wide, self.kernel, **self.spatial)[0].numpy()

    def add_to_weight(self, wide: Array, narrow: Array, gradient: Array) -> None:
        """Add to the weight's gradient what one image gives."""
        gradient = gradient.reshape(self.weight.shape)
        for of_group in zip(narrow.reshape(self.shape), self.columns(wide), gradient):
            gemm(False, True, *of_group, beta=1.0)


def convolution(
    layer: Convolution | Deconvolution, bottom: Array, transposed: bool = False
) -> tuple[Top, Back]:
    """Convolution; with `transposed`, Deconvolution. Of two spatial axes."""
    (shape,) = layer.top_shapes([bottom.shape])
    products = _Products(layer, (shape if transposed else bottom.shape)[2:])
    ways = products.narrow, products.widen
    forward, backward = ways[::-1] if transposed else ways
    top = np.stack([forward(image) for image in bottom]).reshape(shape)
    if len(layer.blobs) > 1:
        top += values(layer, 1)[:, None, None]

    def back(gradient: Array) -> list[Array]:
        to_weight, to_bias = gradient_of(layer, 0), gradient_of(layer, 1)
        for image, change in zip(bottom, gradient):
            if to_bias is not None:
                row_sums(change.reshape(len(change), -1), out=to_bias)
            if to_weight is not None:
                sides = (change, image) if transposed else (image, change)
                products.add_to_weight(*sides, to_weight)
        return [np.stack([backward(change) for change in gradient]).reshape(bottom.shape)]

    return top, back


def deconvolution(layer: Deconvolution, bottom: Array) -> tuple[Top, Back]:
    """Deconvolution, of two spatial axes."""
    return convolution(layer, bottom, transposed=True)


def inner_product(layer: InnerProduct, bottom: Array) -> tuple[Top, Back]:
    """InnerProduct."""
    param = layer.param.inner_product_param
    leading = bottom.shape[: layer.first]
    rows, weight = bottom.reshape(math.prod(leading), -1), values(layer, 0)
    top = np.empty((len(rows), param.num_output), np.float32)
    gemm(False, not param.transpose, rows, weight, top)
    if len(layer.blobs) > 1:
        top += values(layer, 1)

    def back(gradient: Array) -> list[Array]:
        gradient = gradient.reshape(top.shape)
        to_weight, to_bias = gradient_of(layer, 0), gradient_of(layer, 1)
        if to_weight is not None:
            pair: tuple[Array, Array] = (rows, gradient) if param.transpose else (gradient, rows)
            gemm(True, False, *pair, to_weight, beta=1.0)
        if to_bias is not None:
            column_sums(gradient, out=to_bias)
        found = gemm(False, param.transpose, gradient, weight, np.empty_like(rows))
        return [found.reshape(bottom.shape)]

    return top.reshape(*leading, param.num_output), back
