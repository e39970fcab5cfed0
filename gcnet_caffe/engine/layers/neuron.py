"""Layers that work on each element: source Caffe src/caffe/layers/<name>_layer.cpp."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.device import to_device
from gcnet_caffe.engine.layers.base import TRAIN, Layer, Shape, register
from gcnet_caffe.formats import caffe_pb


@register("AbsVal")
class AbsVal(Layer):
    """top = |bottom|."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom.abs()


@register("ReLU")
class ReLU(Layer):
    """top = max(bottom, 0) + negative_slope * min(bottom, 0)."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        slope = self.param.relu_param.negative_slope
        return F.leaky_relu(bottom, slope) if slope else F.relu(bottom)


@register("PReLU")
class PReLU(Layer):
    """As ReLU with a learned slope. Blob: one slope per channel, or one for all."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.prelu_param, shapes[0]
        self.check(len(shape) >= 2, f"found a bottom of shape {shape}, wanted 2 axes or more")
        quarter = caffe_pb.FillerParameter(type="constant", value=0.25)
        filler = param.filler if param.HasField("filler") else quarter
        self.add_blob(() if param.channel_shared else (shape[1],), filler)

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return F.prelu(bottom, self.blob(0).reshape(-1))


@register("ELU")
class ELU(Layer):
    """top = bottom, or alpha * (exp(bottom) - 1) below 0."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return F.elu(bottom, self.param.elu_param.alpha)


@register("Sigmoid")
class Sigmoid(Layer):
    """top = 1 / (1 + exp(-bottom))."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(bottom)


@register("TanH")
class TanH(Layer):
    """top = tanh(bottom)."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return torch.tanh(bottom)


@register("BNLL")
class BNLL(Layer):
    """top = log(1 + exp(bottom))."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return F.softplus(bottom)


@register("Swish")
class Swish(Layer):
    """top = bottom / (1 + exp(-beta * bottom))."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom * torch.sigmoid(bottom * self.param.swish_param.beta)


@register("Clip")
class Clip(Layer):
    """top = bottom, at least min and at most max."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom.clamp(self.param.clip_param.min, self.param.clip_param.max)


@register("Power")
class Power(Layer):
    """top = (shift + scale * bottom)^power."""

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.power_param
        if param.power == 0 or param.scale == 0:
            return torch.full_like(bottom, param.shift, requires_grad=False).pow(param.power)
        inner = bottom if param.scale == 1 else bottom * param.scale
        if param.shift:
            inner = inner + param.shift
        return inner if param.power == 1 else inner.pow(param.power)


@register("Exp")
class Exp(Layer):
    """top = base^(shift + scale * bottom); base -1 is e."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self._log = _log_of_base(self, self.param.exp_param.base)

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.exp_param
        top = torch.exp(bottom * (self._log * param.scale))
        return top * bottom.new_full((), self._log * param.shift).exp() if param.shift else top


@register("Log")
class Log(Layer):
    """top = log_base(shift + scale * bottom); base -1 is e."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self._log = _log_of_base(self, self.param.log_param.base)
        self.check(self._log != 0, "base: found 1, wanted another")

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.log_param
        return torch.log(bottom * param.scale + param.shift) / self._log


def _log_of_base(layer: Layer, base: float) -> float:
    layer.check(base == -1 or base > 0, f"base: found {base}, wanted more than 0, or -1 for e")
    return 1.0 if base == -1 else math.log(base)


class _NoBackward(torch.autograd.Function):
    """Returns a top unchanged; a gradient that reaches it is an error, as in Caffe."""

    @staticmethod
    def forward(ctx: Any, top: torch.Tensor, layer: Layer, _bottom: torch.Tensor) -> torch.Tensor:
        ctx.layer = layer
        return top.clone()

    @staticmethod
    def backward(ctx: Any, _gradient: torch.Tensor) -> Any:
        raise ctx.layer.error("has no backward, and a loss depends on it; give it loss_weight: 0")


def without_backward(layer: Layer, top: torch.Tensor, bottom: torch.Tensor) -> torch.Tensor:
    """Return `top`; a gradient that would go through it to `bottom` is an error."""
    if bottom.requires_grad and torch.is_grad_enabled() and not torch.compiler.is_compiling():
        guarded: torch.Tensor = _NoBackward.apply(top.detach(), layer, bottom)
        return guarded
    return top.detach()


@register("Threshold")
class Threshold(Layer):
    """top = 1 where bottom > threshold, else 0. Has no backward."""

    has_backward = False

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        top = (bottom > self.param.threshold_param.threshold).to(bottom.dtype)
        return without_backward(self, top, bottom)


@register("Dropout")
class Dropout(Layer):
    """In TRAIN, set a share `dropout_ratio` of the elements to zero and scale up the others."""

    draws = True
    mask: torch.Tensor

    def prepare(self, shapes: Sequence[Shape]) -> None:
        ratio = self.param.dropout_param.dropout_ratio
        self.check(0 <= ratio < 1, f"dropout_ratio: found {ratio:g}, wanted 0 or more, below 1")
        self.draws = self.phase == TRAIN
        self._shape = shapes[0]
        self.register_buffer("mask", torch.zeros(shapes[0] if self.draws else 0), persistent=False)

    def draw(self) -> None:
        keep = 1.0 - self.param.dropout_param.dropout_ratio
        drawn = self.context.rng.bernoulli(math.prod(self._shape), keep)
        mask = to_device(drawn, self.mask.device).reshape(self._shape)
        mask = mask.to(self.mask.dtype).mul_(1.0 / keep)
        if mask.shape == self.mask.shape:
            self.mask.copy_(mask)  # its place in memory stays, for CUDA graphs
        else:
            self.mask = mask

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        if self.phase != TRAIN:
            return bottom
        if bottom.shape != self.mask.shape:
            self._shape = tuple(bottom.shape)
            self.draw()
        return bottom * self.mask
