"""BatchNorm. Source: Caffe src/caffe/layers/batch_norm_layer.cpp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.batch_statistics import BatchNormFunction
from gcnet_caffe.engine.layers.base import TEST, Layer, Shape, register


@register("BatchNorm")
class BatchNorm(Layer):
    """top = (bottom - mean) / sqrt(variance + eps), by channel (axis 1), without scale or shift.

    Blobs: the decayed sums of the batches' means (C) and of their unbiased variances (C), and
    the number (1) by which both are divided. They are not learned: their lr_mult is 0.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
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

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        top: torch.Tensor = self.normalize(bottom)
        return top

    def uses_batch(self, bottom: torch.Tensor) -> bool:
        """Whether mean and variance are those of the batch `bottom`, of more than one value."""
        return not self.use_global and bottom.numel() > self.channels

    def normalize(
        self,
        bottom: torch.Tensor,
        weight: torch.Tensor | None = None,
        bias: torch.Tensor | None = None,
        function: Callable[..., Any] | None = None,
    ) -> Any:
        """Return the top, times `weight` plus `bias` (C) if they are given; update the blobs.

        With `function`, return what it makes of BatchNormFunction's arguments: only where the layer
        `uses_batch`.
        """
        mean_sum, variance_sum, factor = (self.blobs[i].detach() for i in range(3))
        eps = self.param.batch_norm_param.eps
        if self.use_global:
            scale = torch.where(factor == 0, factor, 1 / factor)
            mean, variance = mean_sum * scale, variance_sum * scale
            return F.batch_norm(bottom, mean, variance, weight, bias, False, 0.0, eps)
        mean, variance = torch.zeros_like(mean_sum), torch.zeros_like(mean_sum)
        if function is not None:
            top = function(bottom, weight, bias, mean, variance, eps)
        elif bottom.numel() == self.channels:  # one value per channel, its own mean
            mean = bottom.detach().reshape(-1)
            ones = torch.ones_like(variance)
            top = F.batch_norm(bottom - bottom, variance, ones, weight, bias, False, 0.0, 0.0)
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
