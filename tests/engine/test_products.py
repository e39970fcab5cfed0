"""Windows of one channel as products of matrices, as on a GPU, are PyTorch's convolutions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.convolution import convolve_by_products, deconvolve_by_products


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "kernel, stride, padding, dilation",
    [((5, 5), (1, 1), (2, 2), (1, 1)), ((3, 2), (2, 1), (0, 1), (1, 2)), ((1, 1),) * 4],
)
@pytest.mark.parametrize(
    "ours, theirs, channels",
    [(convolve_by_products, F.conv2d, 1), (deconvolve_by_products, F.conv_transpose2d, 6)],
)
def test_blob_and_gradients(
    ours: Callable[..., torch.Tensor],
    theirs: Callable[..., torch.Tensor],
    channels: int,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    bias: bool,
) -> None:
    numbers = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=numbers, dtype=torch.float64).requires_grad_()

    given = [normal(3, channels, 12, 11), normal(6, 1, *kernel)]
    if bias:
        given.append(normal(6 if channels == 1 else 1))
    weights = [*given[1:], None][:2]
    found, wanted = (
        call(given[0], *weights, stride=stride, padding=padding, dilation=dilation, groups=1)
        for call in (ours, theirs)
    )
    torch.testing.assert_close(found, wanted)
    top = torch.randn(wanted.shape, generator=numbers, dtype=torch.float64)
    torch.testing.assert_close(
        torch.autograd.grad(found, given, top), torch.autograd.grad(wanted, given, top)
    )


def test_memory_format() -> None:
    top = convolve_by_products(
        torch.ones(2, 1, 6, 6), torch.ones(4, 1, 3, 3), None, (1, 1), (0, 0), (1, 1)
    )
    assert top.is_contiguous(memory_format=torch.channels_last)
