"""BatchNorm. Source: Caffe src/caffe/layers/batch_norm_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.batch_statistics import BatchNormFunction
from gcnet_caffe.engine.layers.base import TEST, Layer, Shape, register


@register("BatchNorm")
class BatchNorm(Layer):
    """top = (bottom - mean) / sqrt(variance + eps), by channel (axis 1), without scale or shift.

    Blobs: the decayed sums of the batches' means and unbiased variances (C), and the factor (1)
    that both are divided by. They are not learned: their lr_mult is 0.
    """

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, shape = self.param.batch_norm_param, shapes[0]
        self.use_global = self.phase == TEST
        if param.HasField("use_global_stats"):
            self.use_global = param.use_global_stats
        self.check(len(shape) >= 2, f"found a bottom of shape {shape}, wanted N x C x ...")
        self.channels = shape[1]
        for size in (self.channels, self.channels, 1):
            self.add_blob((size,))
        while len(self.param.param) < 3:
            self.param.param.add()
        for index, spec in enumerate(self.param.param[:3]):
            self.check(
                not (spec.HasField("lr_mult") and spec.lr_mult),
                f"param {index}: lr_mult: found {spec.lr_mult:g}, wanted 0: the statistics are "
                "not learned",
            )
            spec.lr_mult = 0
        return [shape]

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return self.normalize(bottom)

    def normalize(
        self,
        bottom: torch.Tensor,
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return the top, times `weight` plus `bias` (C) if they are given; update the blobs."""
        mean_sum, variance_sum, factor = (self.blobs[i].detach() for i in range(3))
        eps = self.param.batch_norm_param.eps
        if self.use_global:
            scale = torch.where(factor == 0, factor, 1 / factor)
            mean, variance = mean_sum * scale, variance_sum * scale
            return F.batch_norm(bottom, mean, variance, weight, bias, False, 0.0, eps)
        mean, variance = torch.zeros_like(mean_sum), torch.zeros_like(mean_sum)
        top: torch.Tensor
        if bottom.numel() == self.channels:  # one value per channel, which PyTorch refuses
            top = self._by_hand(bottom, mean, variance, weight, bias, eps)
        elif bottom.device.type == "cpu" and not bottom.is_contiguous():  # channels-last
            top = BatchNormFunction.apply(bottom, weight, bias, mean, variance, eps)
        else:
            top = F.batch_norm(bottom, mean, variance, weight, bias, True, 1.0, eps)
        fraction = self.param.batch_norm_param.moving_average_fraction
        with torch.no_grad():
            factor.mul_(fraction).add_(1)
            mean_sum.mul_(fraction).add_(mean)
            variance_sum.mul_(fraction).add_(variance)
        return top

    def _by_hand(
        self,
        bottom: torch.Tensor,
        mean: torch.Tensor,
        variance: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        eps: float,
    ) -> torch.Tensor:
        axes = [0, *range(2, bottom.dim())]
        by_channel = [1, -1] + [1] * (bottom.dim() - 2)
        found = bottom.mean(axes)
        with torch.no_grad():
            mean.copy_(found)
            variance.zero_()
        top = (bottom - found.view(by_channel)) * eps**-0.5
        if weight is not None:
            top = top * weight.view(by_channel)
        return top if bias is None else top + bias.view(by_channel)
