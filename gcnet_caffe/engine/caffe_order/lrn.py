"""LRN. Source: Caffe src/caffe/layers/lrn_layer.cpp, pooling_layer.cpp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from gcnet_caffe.engine.caffe_order.blas import Array, power
from gcnet_caffe.engine.caffe_order.neurons import raised
from gcnet_caffe.engine.caffe_order.rule import Back, Top

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer

_F = np.float32


def lrn(layer: Layer, bottom: Array) -> tuple[Top, Back]:
    """LRN, across channels or within each."""
    param = layer.param.lrn_param
    across = param.norm_region == param.ACROSS_CHANNELS
    return _across(param, bottom) if across else _within(param, bottom)


def _across(param: Any, bottom: Array) -> tuple[Top, Back]:
    """The scale of a channel is that of the one before, plus a square and minus another."""
    size, beta = param.local_size, _F(param.beta)
    share = _F(param.alpha) / _F(size)
    before, channels = (size - 1) // 2, bottom.shape[1]
    squares = _padded(bottom * bottom, before, size)
    squares *= share
    scale = np.empty_like(bottom)
    found = np.full_like(bottom[:, 0], param.k)
    for channel in range(size):
        found = found + squares[:, channel]
    scale[:, 0] = found
    for channel in range(1, channels):
        found = found + squares[:, channel + size - 1]
        found -= squares[:, channel - 1]
        scale[:, channel] = found
    root = power(scale, -beta)
    top = root * bottom

    def back(gradient: Array) -> list[Array]:
        ratio = _F(2 * float(_F(param.alpha)) * float(beta) / size)
        ratios = _padded(gradient * top / scale, size - (size + 1) // 2, size)
        found = gradient * root
        gathered = np.zeros_like(bottom[:, 0])
        for channel in range(size - 1):
            gathered += ratios[:, channel]
        for channel in range(channels):
            gathered += ratios[:, channel + size - 1]
            found[:, channel] -= ratio * (bottom[:, channel] * gathered)
            gathered -= ratios[:, channel]
        return [found]

    return top, back


def _padded(x: NDArray[Any], before: int, size: int) -> Array:
    """Return x with size - 1 more channels of zeros, `before` of them in front."""
    made = np.zeros((len(x), x.shape[1] + size - 1, *x.shape[2:]), _F)
    made[:, before : before + x.shape[1]] = x
    return made


def _within(param: Any, bottom: Array) -> tuple[Top, Back]:
    """Caffe makes it of a square, an average pooling, a power and a product."""
    windows = [param.local_size] * 2, [1, 1], [(param.local_size - 1) // 2] * 2
    squares, to_square = raised(bottom, _F(2), _F(1), _F(0))
    pooled = F.avg_pool2d(torch.from_numpy(squares), *windows).numpy()
    factor, to_factor = raised(pooled, -_F(param.beta), _F(param.alpha), _F(1))

    def back(gradient: Array) -> list[Array]:
        (to_pooled,) = to_factor(bottom * gradient)
        pair = map(torch.from_numpy, (to_pooled, squares))
        averaged = torch.ops.aten.avg_pool2d_backward(*pair, *windows, False, True, None)
        (by_square,) = to_square(averaged.numpy())
        return [factor * gradient + by_square]

    return bottom * factor, back
