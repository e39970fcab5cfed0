"""BatchNorm with the ReLU and the 2x2 max pooling or unpooling after it, on a CPU, channels-last.

A chain reads its bottom twice in each direction and writes its top or gradient once; what lies
between is never in memory. Layers one by one take about three times as long. Sums are in float64,
in pieces whose order does not depend on the number of threads. A mask is a byte, the `codes` of
batch_norm_loops. Blobs are as that module wants them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.autograd.function import once_differentiable

from gcnet_caffe.engine import batch_norm_loops as loops
from gcnet_caffe.engine.loops import channels_last_array as _array
from gcnet_caffe.engine.loops import share

_Array = NDArray[Any]


def _empty(
    like: torch.Tensor, height: int, width: int, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """Return an uninitialised channels-last blob with the images and channels of `like`."""
    images, channels = like.shape[:2]
    return torch.empty(images, height, width, channels, dtype=dtype or like.dtype).permute(
        0, 3, 1, 2
    )


def _by_pieces(loop: Any, x: _Array, channels: int, *arguments: Any) -> None:
    pieces = -(-len(x) // (channels * loops.PIECE))
    share(loop, pieces, channels * loops.PIECE, x, channels, *arguments)


def _by_rows(loop: Any, blob: torch.Tensor, x: _Array, *arguments: Any) -> None:
    """Share `loop` by the rows of `blob`, the smaller one."""
    images, channels, height, width = blob.shape
    share(loop, images * height, 4 * width * channels, x, channels, width, *arguments)


def _no_sums(parts: int, channels: int) -> _Array:
    return np.empty(parts * 2 * channels)


def _added(sums: _Array, channels: int) -> _Array:
    """Return the two sums per channel of all parts."""
    added: _Array = sums.reshape(-1, 2, channels).sum(0)
    return added


class _Line(NamedTuple):
    """The batch's mean and deviation, and y = a x + b, per channel.

    `weight` is float64; `a` and `b` are float32.
    """

    mean: _Array
    deviation: _Array
    weight: _Array
    a: _Array
    b: _Array


def _fitted(
    x: torch.Tensor,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    mean: torch.Tensor,
    variance: torch.Tensor,
    eps: float,
) -> _Line:
    """Return the line of a batch, and fill `mean` and `variance`, as BatchNormFunction does."""
    channels = x.shape[1]
    count = x.numel() // channels
    sums = _no_sums(-(-count // loops.PIECE), channels)
    _by_pieces(loops.moments, _array(x), channels, sums)
    middle, squares = _added(sums, channels) / count
    biased = np.maximum(squares - middle * middle, 0)
    mean.copy_(torch.from_numpy(middle))
    variance.copy_(torch.from_numpy(biased * (count / max(count - 1, 1))))
    deviation = np.sqrt(biased + eps)
    slope: _Array = np.ones(channels)
    slope = slope if weight is None else weight.detach().double().numpy()
    a = slope / deviation
    b = -middle * a if bias is None else bias.detach().double().numpy() - middle * a
    return _Line(middle, deviation, slope, a.astype(np.float32), b.astype(np.float32))


class _Back(NamedTuple):
    """The gradient of the bottom: per_x * x + constant + per_gradient * y's gradient; and others.

    The first three are float32 arrays per channel.
    """

    per_x: _Array
    constant: _Array
    per_gradient: _Array
    to_weight: torch.Tensor
    to_bias: torch.Tensor


def _back(line: _Line, sums: _Array, count: int) -> _Back:
    """Return it, from the `sums` over y's gradient and over it times x."""
    total, products = _added(sums, len(line.mean))
    slope = (products - line.mean * total) / line.deviation
    scale = line.weight / line.deviation
    per_x = -scale * slope / (count * line.deviation)
    constant = -scale * total / count - per_x * line.mean
    to_weight, to_bias = (torch.from_numpy(part).float() for part in (slope, total))
    a, b, c = (part.astype(np.float32) for part in (per_x, constant, scale))
    return _Back(a, b, c, to_weight, to_bias)


class _Chain(torch.autograd.Function):
    """What the chains have in common: their first six arguments are BatchNormFunction's."""

    @staticmethod
    def results(ctx: Any, to_x: torch.Tensor, back: _Back) -> Any:
        """Return the gradients of the arguments."""
        wanted = ctx.needs_input_grad
        to_weight = back.to_weight if wanted[1] else None
        to_bias = back.to_bias if wanted[2] else None
        return (to_x if wanted[0] else None, to_weight, to_bias, *[None] * (len(wanted) - 3))


class Normalized(_Chain):
    """BatchNorm, Scale, and if it is `rectified` ReLU."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        mean: torch.Tensor,
        variance: torch.Tensor,
        eps: float,
        rectified: bool,
    ) -> torch.Tensor:
        line = _fitted(x, weight, bias, mean, variance, eps)
        top = _empty(x, *x.shape[2:])
        _by_pieces(loops.normalize, _array(x), x.shape[1], line.a, line.b, rectified, _array(top))
        ctx.save_for_backward(x)
        ctx.line, ctx.rectified = line, rectified
        return top

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        (x,) = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        to_x = _empty(x, *x.shape[2:])
        back = _to_bottom(x, gradient, ctx.line, ctx.rectified, to_x)
        return _Chain.results(ctx, to_x, back)


def _to_bottom(
    x: torch.Tensor, gradient: torch.Tensor, line: _Line, rectified: bool, to_x: torch.Tensor
) -> _Back:
    """Write the gradient of `x`, from that of y, to `to_x`, which may be `gradient`."""
    channels = x.shape[1]
    count = x.numel() // channels
    sums = _no_sums(-(-count // loops.PIECE), channels)
    given = (_array(x), channels, _array(gradient), line.a, line.b, rectified)
    _by_pieces(loops.gradient_sums, *given, sums)
    back = _back(line, sums, count)
    _by_pieces(loops.to_bottom, *given, *back[:3], _array(to_x))
    return back


class NormalizedPooled(_Chain):
    """BatchNorm, Scale, ReLU and the maximum of windows of 2x2; also returns the codes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        mean: torch.Tensor,
        variance: torch.Tensor,
        eps: float,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        line = _fitted(x, weight, bias, mean, variance, eps)
        height, width = x.shape[2] // 2, x.shape[3] // 2
        top, codes = _empty(x, height, width), _empty(x, height, width, torch.uint8)
        _by_rows(loops.pool, top, _array(x), line.a, line.b, _array(top), _array(codes))
        ctx.save_for_backward(x, codes)
        ctx.line = line
        ctx.mark_non_differentiable(codes)
        return top, codes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor, _codes: torch.Tensor) -> Any:
        x, codes = ctx.saved_tensors
        images, channels, height, _ = codes.shape
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        sums = _no_sums(images * height, channels)
        given = (_array(x), _array(gradient), _array(codes))
        _by_rows(loops.pooled_sums, codes, *given, sums)
        back = _back(ctx.line, sums, x.numel() // channels)
        to_x = _empty(x, *x.shape[2:])
        _by_rows(loops.pooled_to_bottom, codes, *given, *back[:3], _array(to_x))
        return _Chain.results(ctx, to_x, back)


class NormalizedUnpooled(_Chain):
    """BatchNorm, Scale, ReLU, and MaxUnpool by `codes` to twice the size."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        mean: torch.Tensor,
        variance: torch.Tensor,
        eps: float,
        codes: torch.Tensor,
    ) -> torch.Tensor:
        line = _fitted(x, weight, bias, mean, variance, eps)
        ctx.save_for_backward(x, codes)
        ctx.line = line
        return _unpooled(x, line.a, line.b, True, codes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        x, codes = ctx.saved_tensors
        to_x = _picked(gradient, codes)
        return _Chain.results(ctx, to_x, _to_bottom(x, to_x, ctx.line, True, to_x))


class Unpooled(torch.autograd.Function):
    """MaxUnpool by `codes` to twice the size."""

    @staticmethod
    def forward(ctx: Any, pooled: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(codes)
        ones = np.ones(pooled.shape[1], np.float32)
        return _unpooled(pooled, ones, np.zeros_like(ones), False, codes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        return _picked(gradient, *ctx.saved_tensors), None


def _unpooled(
    x: torch.Tensor, a: _Array, b: _Array, rectified: bool, codes: torch.Tensor
) -> torch.Tensor:
    top = _empty(x, 2 * x.shape[2], 2 * x.shape[3])
    _by_rows(loops.unpool, x, _array(x), a, b, rectified, _array(codes), _array(top))
    return top


def _picked(gradient: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
    gradient = gradient.contiguous(memory_format=torch.channels_last)
    picked = _empty(gradient, *codes.shape[2:])
    _by_rows(loops.pick, codes, _array(gradient), _array(codes), _array(picked))
    return picked


def places(codes: torch.Tensor) -> torch.Tensor:
    """Return the mask (int64) that Pooling gives for `codes`, of a blob of twice their size."""
    height, width = codes.shape[2:]
    code = codes.long() & 3
    row = 2 * torch.arange(height)[:, None] + (code >> 1)
    return row * (2 * width) + 2 * torch.arange(width) + (code & 1)
