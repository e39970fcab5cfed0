"""The operations of the update rules on tensors, rounded as by Caffe's calls of BLAS and of powf.

Source: Caffe src/caffe/util/math_functions.cpp. Caffe takes roots and squares by powf, which may be
one bit off the correctly rounded number.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from gcnet_caffe.engine.caffe_order.blas import Array, dot, power
from gcnet_caffe.engine.loops import compiled, has_numba, share

_U = np.uint64


def axpy(alpha: float, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """y += alpha x, in place, alpha x rounded first; returns `y`."""
    if not has_numba():
        return y.add_(x * alpha)
    flat = [tensor.detach().view(-1).numpy() for tensor in (x, y)]
    share(_axpy, x.numel(), 1, np.float32(alpha), *flat)
    return y


@compiled
def _axpy(alpha: np.float32, x: Array, y: Array, start: int, stop: int) -> None:
    for index in range(_U(start), _U(stop)):
        y[index] += alpha * x[index]


def root(x: torch.Tensor) -> torch.Tensor:
    """Return the root of each element."""
    return torch.from_numpy(power(x.numpy(), 0.5))


def square(x: torch.Tensor) -> torch.Tensor:
    """Return the square of each element."""
    return torch.from_numpy(power(x.numpy(), 2))


def sum_of_squares(gradients: Iterable[torch.Tensor]) -> np.float32:
    """Return the sum of the squares of the elements of all tensors."""
    return sum((dot(g.numpy(), g.numpy()) for g in gradients), np.float32(0))
