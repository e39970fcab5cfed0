"""Convolutions and deconvolutions of 3x3 with stride 1 in float32, by winograd_loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from gcnet_caffe.engine.loops import channels_last_array, has_numba, share

#: How a kernel of 3x3, in rows, becomes one of 4x4: of the matrix G in winograd_loops.
_G = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64)
_KERNEL = torch.kron(_G, _G)  # 16 x 9

#: The gradients of weights are added up in so many pieces, for any number of threads.
_PIECES = 16
#: More weights than so many do not stay in a processor's cache; oneDNN is then faster.
_MOST_WEIGHTS = 8192


def suits(bottom: torch.Tensor, channels: int, outputs: int, pad: int) -> bool:
    """Whether the loops can run on a blob, and are faster than PyTorch.

    Parameters
    ----------
    bottom : (N, C, H, W) tensor
    channels, outputs : int
        Of the convolution.
    pad : int
        On each side, of a convolution or a deconvolution.
    """
    return (
        bottom.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and channels % 32 == outputs % 32 == 0
        and channels * outputs <= _MOST_WEIGHTS
        and not any(size % 2 or size < 4 for size in bottom.shape[2:])
        and pad <= 2
        and len(bottom) > 0
        and bottom.is_contiguous(memory_format=torch.channels_last)
        and has_numba()
    )


class Convolved(torch.autograd.Function):
    """The convolution with a weight of (O, C, 3, 3), or the deconvolution with (C, O, 3, 3)."""

    @staticmethod
    def forward(
        ctx: Any,
        bottom: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        pad: int,
        transposed: bool,
    ) -> torch.Tensor:
        ctx.save_for_backward(bottom, weight)
        ctx.pad, ctx.transposed = 2 - pad if transposed else pad, transposed
        top = _correlated(bottom, _turned(weight) if transposed else weight, ctx.pad)
        return top if bias is None else top.add_(bias.view(1, -1, 1, 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        bottom, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        wanted = ctx.needs_input_grad
        to_bottom = to_weight = None
        if wanted[0]:
            back = weight if ctx.transposed else _turned(weight)
            to_bottom = _correlated(gradient, back, 2 - ctx.pad)
        if wanted[1]:
            to_weight = _to_weight(bottom, gradient, ctx.pad)
            to_weight = _turned(to_weight) if ctx.transposed else to_weight
        to_bias = gradient.sum((0, 2, 3)) if wanted[2] else None
        return to_bottom, to_weight, to_bias, None, None


def _turned(weight: torch.Tensor) -> torch.Tensor:
    """Return the weight of the transpose."""
    return weight.flip(2, 3).transpose(0, 1)


def _correlated(bottom: torch.Tensor, weight: torch.Tensor, pad: int) -> torch.Tensor:
    """Return F.conv2d(bottom, weight, padding=pad), channels-last."""
    from gcnet_caffe.engine import winograd_loops

    images, channels, height, width = bottom.shape
    outputs = len(weight)
    flat = weight.detach().double().permute(1, 0, 2, 3).reshape(-1, 9)
    tiles = (_KERNEL @ flat.t()).float().reshape(-1).numpy()  # 16 x C x O
    size = height + 2 * pad - 2, width + 2 * pad - 2
    top = torch.empty(images, *size, outputs).permute(0, 3, 1, 2)
    numbers = channels_last_array(bottom), height, width, channels, pad, tiles, outputs
    rows = images * size[0] // 2
    share(winograd_loops.convolve, rows, 2 * size[1] * outputs, *numbers, channels_last_array(top))
    return top


def _to_weight(bottom: torch.Tensor, gradient: torch.Tensor, pad: int) -> torch.Tensor:
    """Return the gradient of the (O, C, 3, 3) weight of `_correlated`."""
    from gcnet_caffe.engine import winograd_loops

    images, channels, height, width = bottom.shape
    outputs = gradient.shape[1]
    pieces = min(_PIECES, images * gradient.shape[2] // 2)
    sums = np.empty(pieces * 16 * channels * outputs, np.float32)
    numbers = channels_last_array(bottom), height, width, channels, pad
    given = *numbers, channels_last_array(gradient), outputs, pieces, sums
    share(winograd_loops.weight_gradients, pieces, bottom.numel() // pieces, *given)
    added = torch.from_numpy(sums).view(pieces, 16, -1).sum(0, dtype=torch.float64)  # 16 x C O
    found = (_KERNEL.t() @ added).float()
    return found.view(3, 3, channels, outputs).permute(3, 2, 0, 1)
