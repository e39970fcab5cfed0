"""LRN, MVN and NormalizedDistance.

Source: Caffe src/caffe/layers/lrn_layer.cpp, mvn_layer.cpp; native/normalized_distance_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Shape, register
from gcnet_caffe.engine.layers.pooling import averages
from gcnet_caffe.formats import caffe_pb


@register("LRN")
class LRN(Layer):
    """top = bottom / (k + alpha * mean square around)^beta, over channels or pixels."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.lrn_param, shapes[0]
        self.check(len(shape) == 4, f"found a bottom of shape {shape}, wanted 4 axes")
        self.check(
            param.local_size % 2 == 1, f"local_size {param.local_size}: wanted an odd number"
        )

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.lrn_param
        size, half = param.local_size, (param.local_size - 1) // 2
        squares = bottom * bottom
        if param.norm_region == caffe_pb.LRNParameter.ACROSS_CHANNELS:
            padded = F.pad(squares, (0, 0, 0, 0, half, half))
            channels = bottom.shape[1]
            around = sum(padded[:, i : i + channels] for i in range(size))
            return bottom.mul((param.k + param.alpha / size * around) ** -param.beta)
        full = bottom.shape[2:]  # of this region Caffe takes k as 1
        around = averages(F.pad(squares, (half,) * 4), full, (size, size), (1, 1), (half, half))
        return bottom.mul((1 + param.alpha * around) ** -param.beta)


class _Normalized(torch.autograd.Function):
    """(x - mean) / (std + eps) with Caffe's gradient, which treats eps as if it were 0."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, eps: float) -> torch.Tensor:
        centred = rows - rows.mean(1, keepdim=True)
        spread = centred.square().mean(1, keepdim=True).sqrt() + eps
        top = centred / spread
        ctx.save_for_backward(top, spread)
        return top

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        top, spread = ctx.saved_tensors
        along = top * (top * gradient).mean(1, keepdim=True)
        return (gradient - gradient.mean(1, keepdim=True) - along) / spread, None


@register("MVN")
class MVN(Layer):
    """Zero mean, and unit variance if asked, of each channel or image."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(len(shapes[0]) <= 4, f"found a bottom of shape {shapes[0]}, wanted 4 axes")

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.mvn_param
        shape = tuple(bottom.shape) + (1,) * (4 - bottom.dim())
        rows = bottom.reshape(shape[0] if param.across_channels else shape[0] * shape[1], -1)
        if param.normalize_variance:
            top: torch.Tensor = _Normalized.apply(rows, param.eps)
            return top.reshape(shape)
        return (rows - rows.mean(1, keepdim=True)).reshape(shape)


@register("NormalizedDistance")
class NormalizedDistance(Layer):
    """top = | a / |a| - b / |b| |, element by element, with |x| = sqrt(sum of squares + 1e-6)."""

    bottoms = (2, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(shapes[0] == shapes[1], f"bottoms differ: {shapes[0]} and {shapes[1]}")
        self.check(len(shapes[0]) >= 2, f"found bottoms of shape {shapes[0]}, wanted N x ...")

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (_unit(a) - _unit(b)).abs()


def _unit(x: torch.Tensor) -> torch.Tensor:
    rows = x.flatten(1)
    return rows * (rows.square().sum(1, keepdim=True) + 1e-6).rsqrt()
