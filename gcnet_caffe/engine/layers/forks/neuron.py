"""Layers of other Caffes that work on each element: ReLU6, SeLu, Insanity, dropouts, Flip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import TRAIN, Layer, Shape, register, register_namesake


@register("ReLU6")
class ReLU6(Layer):
    """top = min(x, 6) where x > 0, else negative_slope x; the gradient is 0 from 6 on.

    Source: eric612/MobileNet-YOLO, relu6_layer.cpp.
    """

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        slope = self.param.relu6_param.negative_slope
        top = F.leaky_relu(bottom, slope) if slope else F.relu(bottom)
        return torch.where(top < 6, top, 6.0)


@register("SeLu")
class SeLu(Layer):
    """top = lambda x where x > 0, else lambda alpha (exp(x) - 1).

    Source: soeaver/py-RFCN-priv, selu_layer.cpp.
    """

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.selu_param
        scale: float = getattr(param, "lambda")  # a word of Python
        return scale * F.elu(bottom, param.alpha)


class _Masked(Layer):
    """A dropout whose `mask` is 1 where an element is kept."""

    ratio: float
    mask: torch.Tensor

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(0 < self.ratio < 1, f"dropout_ratio: found {self.ratio:g}, wanted 0 to 1")
        self.draws = self.is_on()
        self._shape = shapes[0]
        self.register_buffer("mask", torch.zeros(shapes[0] if self.draws else 0), persistent=False)

    def is_on(self) -> bool:
        """Whether elements are dropped."""
        return bool(self.phase == TRAIN)

    def draw(self) -> None:
        drawn = self.context.rng.bernoulli(math.prod(self._shape), 1.0 - self.ratio)
        self.mask = torch.as_tensor(drawn).reshape(self._shape).to(self.mask)

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        if self.draws and bottom.shape != self.mask.shape:
            self._shape = tuple(bottom.shape)
            self.draw()
        return self.dropped(bottom)

    def dropped(self, bottom: torch.Tensor) -> torch.Tensor:
        """Return the top."""
        raise NotImplementedError


def _drops_otherwise(param: Any) -> bool:
    dropout = param.dropout_param
    return bool(dropout.sample_weights_test or not dropout.scale_train)


@register_namesake("Dropout", "SegNet or Fast R-CNN", _drops_otherwise)
class OtherDropout(_Masked):
    """Dropout that also drops in TEST (sample_weights_test), or scales there (scale_train: false).

    TRAIN, or TEST with sample_weights_test: top = mask x / (1 - ratio), and mask x without
    scale_train. TEST: top = x, and (1 - ratio) x without scale_train.

    Source: alexgkendall/caffe-segnet and rbgirshick/caffe-fast-rcnn (branch faster-rcnn),
    dropout_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.ratio = self.param.dropout_param.dropout_ratio
        super().prepare(shapes)

    def is_on(self) -> bool:
        return self.phase == TRAIN or bool(self.param.dropout_param.sample_weights_test)

    def dropped(self, bottom: torch.Tensor) -> torch.Tensor:
        scaled, keep = self.param.dropout_param.scale_train, 1.0 - self.ratio
        if not self.draws:
            return bottom if scaled else bottom * keep
        return bottom * (self.mask / keep if scaled else self.mask)


@register("SeLuDropout")
class SeLuDropout(_Masked):
    """TRAIN: top = a (x where kept, else alpha) + b; TEST: top = x.

    With q = 1 - dropout_ratio: a = (q (1 + alpha^2 (1 - q)))^-0.5, b = -a (1 - q) alpha.

    Source: soeaver/py-RFCN-priv, selu_dropout_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.selu_dropout_param
        self.ratio, self.alpha = param.dropout_ratio, param.alpha
        super().prepare(shapes)

    def dropped(self, bottom: torch.Tensor) -> torch.Tensor:
        if not self.draws:
            return bottom
        keep = 1.0 - self.ratio
        a: float = (keep * (1 + self.alpha**2 * self.ratio)) ** -0.5
        shift = a * self.alpha * (1 - self.mask) - a * self.ratio * self.alpha
        top: torch.Tensor = bottom * (a * self.mask) + shift
        return top


@register("Insanity")
class Insanity(Layer):
    """top = x where x > 0, else x / s: TRAIN, s anew from lb to ub for each element.

    TEST: s = (ub - lb) / (ln|ub| - ln|lb|).

    Source: happynear/caffe-windows, insanity_layer.cpp.
    """

    slopes: torch.Tensor

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.insanity_param
        low, high = param.lb, param.ub
        self.check(len(shapes[0]) >= 2, f"found a bottom of shape {shapes[0]}, wanted N x C x ...")
        self.check(
            low < high and low * high != 0 and abs(low) != abs(high),
            f"lb {low:g}, ub {high:g}: wanted lb < ub, not 0, of different size",
        )
        self.mean = (high - low) / (math.log(abs(high)) - math.log(abs(low)))
        self.draws = self.phase == TRAIN
        self._shape = shapes[0]
        self.register_buffer("slopes", torch.ones(shapes[0] if self.draws else 0), persistent=False)

    def draw(self) -> None:
        param = self.param.insanity_param
        drawn = self.context.rng.uniform(math.prod(self._shape), param.lb, param.ub)
        self.slopes = torch.as_tensor(drawn).reshape(self._shape).to(self.slopes)

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        if self.draws and bottom.shape != self.slopes.shape:
            self._shape = tuple(bottom.shape)
            self.draw()
        return torch.where(bottom > 0, bottom, bottom / (self.slopes if self.draws else self.mean))


@register("Flip")
class Flip(Layer):
    """The columns (flip_width) and the rows (flip_height) in reverse order.

    Source: happynear/caffe-windows, flip_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(len(shapes[0]) == 4, f"found a bottom of shape {shapes[0]}, wanted 4 axes")
        param = self.param.flip_param
        self.dims = [2] * param.flip_height + [3] * param.flip_width

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        return bottom.flip(self.dims)
