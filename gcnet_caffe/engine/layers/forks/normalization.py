"""BN of SegNet and of PSPNet, NVIDIA's BatchNorm, Normalize of SSD and of happynear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from gcnet_caffe.engine.layers.base import TEST, Layer, Shape, Tops, register, register_namesake
from gcnet_caffe.formats import caffe_pb

_ONE = caffe_pb.FillerParameter(type="constant", value=1)


def _moments(bottom: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and (biased) variance of each channel, differentiable."""
    others = [axis for axis in range(bottom.dim()) if axis != 1]
    mean = bottom.mean(others)
    centred = bottom - _spread(mean, bottom)
    return mean, (centred * centred).mean(others)


def _spread(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return one value per channel as a view that broadcasts against `like`."""
    return values.reshape(1, -1, *[1] * (like.dim() - 2))


class _Normalizing(Layer):
    """A layer of N x C x ... with blobs of one number per channel."""

    def _check_channels(self, shape: Shape) -> int:
        self.check(len(shape) >= 2, f"found a bottom of shape {shape}, wanted N x C x ...")
        return shape[1]

    def _fix(self, indices: Sequence[int]) -> None:
        """Set lr_mult and decay_mult of the blobs at `indices` to 0, as the other Caffe does."""
        while len(self.param.param) < len(self.blobs):
            self.param.param.add()
        for index in indices:
            self.param.param[index].lr_mult = self.param.param[index].decay_mult = 0

    def _normalized(
        self, bottom: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, eps: float
    ) -> torch.Tensor:
        return (bottom - _spread(mean, bottom)) / _spread((variance + eps).sqrt(), bottom)


def _is_pspnets(param: Any) -> bool:
    fields = ("slope_filler", "bias_filler", "momentum", "eps", "frozen", "engine")
    return any(param.bn_param.HasField(field) for field in fields)


@register("BN")
class SegNetBN(_Normalizing):
    """LEARN: top = scale (x - mean) / sqrt(variance + 1e-9) + shift, of the batch in any phase.

    INFERENCE: top = scale x + shift. Blobs: scale, shift (1, C, 1, 1). The second and third top
    are the batch's mean and (biased) variance; they have no gradient.

    Source: alexgkendall/caffe-segnet, bn_layer.cpp.
    """

    tops = (1, 3)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, channels = self.param.bn_param, self._check_channels(shapes[0])
        for filler in (param.scale_filler, param.shift_filler):
            self.add_blob((1, channels, 1, 1), filler)
        self.learns = param.bn_mode == param.LEARN
        self.check(
            self.learns or self.num_tops == 1,
            f"found {self.num_tops} tops, wanted 1 with bn_mode: INFERENCE",
        )

    def forward(self, bottom: torch.Tensor) -> Tops:
        scale, shift = (_spread(self.blob(index), bottom) for index in (0, 1))
        if not self.learns:
            return bottom * scale + shift
        mean, variance = _moments(bottom)
        top = self._normalized(bottom, mean, variance, 1e-9) * scale + shift
        statistics = (one.detach().reshape(1, -1, 1, 1) for one in (mean, variance))
        return (top, *statistics)[: self.num_tops]


@register_namesake("BN", "PSPNet", _is_pspnets)
class PSPNetBN(_Normalizing):
    """top = slope (x - mean) / sqrt(variance + eps) + bias.

    Blobs, each (1, C, 1, 1): slope, bias, moving mean, moving (biased) variance. TRAIN takes the
    batch's and moves the two: moving = momentum moving + (1 - momentum) batch's. TEST, and TRAIN if
    `frozen`, take the moving ones. The moving ones are not learned, and if `frozen` nothing is.

    Source: hszhao/PSPNet, bn_layer.cpp (yjxiong/caffe has the same).
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, channels = self.param.bn_param, self._check_channels(shapes[0])
        variance = caffe_pb.FillerParameter(type="constant", value=float(param.frozen))
        for filler in (param.slope_filler, param.bias_filler, None, variance):
            self.add_blob((1, channels, 1, 1), filler)
        self._fix((0, 1, 2, 3) if param.frozen else (2, 3))

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.bn_param
        slope, bias, *moving = (self.blob(index).reshape(-1) for index in range(4))
        mean, variance = (one.detach() for one in moving)
        if self.phase != TEST and not param.frozen:
            batch = _moments(bottom)
            with torch.no_grad():
                for old, new in zip(moving, batch):
                    old.mul_(param.momentum).add_(new, alpha=1 - param.momentum)
            mean, variance = batch
        if param.frozen:
            slope, bias = slope.detach(), bias.detach()
        top = self._normalized(bottom, mean, variance, param.eps)
        return top * _spread(slope, bottom) + _spread(bias, bottom)


def _has_five_blobs(param: Any) -> bool:
    param = param.batch_norm_param
    fillers = ("scale_filler", "bias_filler")
    return param.scale_bias or any(param.HasField(field) for field in fillers)


@register_namesake("BatchNorm", "NVIDIA", _has_five_blobs)
class NVIDIABatchNorm(_Normalizing):
    """top = scale (x - mean) / sqrt(variance + eps) + bias; eps is 1e-5 at least.

    Blobs: moving mean (C), moving variance (C), 1 (1), scale (C), bias (C). TRAIN takes the batch's
    mean and (biased) variance. The first two passes set the moving ones to these, the variance with
    eps added; later ones move them: moving = f moving + (1 - f) batch's. TEST takes the moving
    ones. Scale and bias are learned with lr_mult and decay_mult 1, whatever `param` says.

    Source: NVIDIA/caffe, batch_norm_layer.cpp. With neither scale_bias nor the two fillers the
    layer is BVLC's.
    """

    has_state = True

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, channels = self.param.batch_norm_param, self._check_channels(shapes[0])
        self.check(not param.use_global_stats, "use_global_stats: wanted false, with scale_bias")
        if self.is_new:
            self.passes = 0
        for size, filler in ((channels, None), (channels, None), (1, _ONE)):
            self.add_blob((size,), filler)
        self.add_blob((channels,), param.scale_filler if param.HasField("scale_filler") else _ONE)
        self.add_blob((channels,), param.bias_filler if param.HasField("bias_filler") else None)
        self._fix((0, 1, 2))
        for spec in self.param.param[3:5]:
            spec.lr_mult = spec.decay_mult = 1

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.batch_norm_param
        mean, variance, _, scale, bias = (self.blob(index) for index in range(5))
        eps = max(param.eps, 1e-5)
        if self.phase == TEST:
            top = self._normalized(bottom, mean.detach(), variance.detach(), eps)
        else:
            batch = _moments(bottom)
            top = self._normalized(bottom, *batch, eps)
            kept = param.moving_average_fraction if self.passes > 1 else 0.0
            with torch.no_grad():
                for old, new in ((mean, batch[0]), (variance, batch[1] + eps)):
                    old.copy_(old * kept + new * (1 - kept) if kept else new)
            self.passes += 1
        return top * _spread(scale, bottom) + _spread(bias, bottom)

    def state(self) -> dict[str, int]:
        """Return how many passes there have been."""
        return {"passes": self.passes}

    def set_state(self, state: dict[str, int]) -> None:
        """Continue from where `state` was taken."""
        self.passes = state["passes"]


@register("Normalize")
class SSDNormalize(Layer):
    """top = scale x / sqrt(sum of x^2 + eps): a sum over the channels of each place.

    With across_spatial (the default) over the whole image. Blob: scale, one number (no axes) with
    channel_shared, else (C).

    Source: weiliu89/caffe (branch ssd), normalize_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.norm_param, shapes[0]
        self.check(2 <= len(shape) <= 4, f"found a bottom of shape {shape}, wanted 2 to 4 axes")
        filler = param.scale_filler if param.HasField("scale_filler") else _ONE
        self.add_blob(() if param.channel_shared else (shape[1],), filler)

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.norm_param
        axes = list(range(1, bottom.dim())) if param.across_spatial else [1]
        length = ((bottom * bottom).sum(axes, keepdim=True) + param.eps).sqrt()
        top: torch.Tensor = bottom / length * _spread(self.blob(0), bottom)
        return top


@register_namesake("Normalize", "happynear", lambda param: param.HasField("normalize_param"))
class HappynearNormalize(Layer):
    """L2: top = x / n, n = sqrt(sum of x^2 + 1e-6); L1: n = sum of |x| + 1e-6. Sums over channels.

    The second top is n (N, 1, H, W); it has a gradient with bp_norm only.

    Source: happynear/caffe-windows, normalize_layer.cpp. fix_gradient is refused: only its CUDA
    code has it.
    """

    tops = (1, 2)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.normalize_param, shapes[0]
        self.check(2 <= len(shape) <= 4, f"found a bottom of shape {shape}, wanted 2 to 4 axes")
        self.check(
            param.normalize_type in ("L1", "L2"),
            f"normalize_type: found {param.normalize_type!r}, wanted 'L2' or 'L1'",
        )
        self.check(not param.fix_gradient, "fix_gradient: found true, wanted false")

    def forward(self, bottom: torch.Tensor) -> Tops:
        param = self.param.normalize_param
        bottom = bottom.reshape(*bottom.shape, *[1] * (4 - bottom.dim()))
        if param.normalize_type == "L2":
            norm = ((bottom * bottom).sum(1, keepdim=True) + 1e-6).sqrt()
        else:
            norm = bottom.abs().sum(1, keepdim=True) + 1e-6
        top = bottom / norm
        return (top, norm if param.bp_norm else norm.detach()) if self.num_tops == 2 else top
