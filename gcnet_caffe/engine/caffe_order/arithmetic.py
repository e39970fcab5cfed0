"""What the update rules compute with, of tensors, as Caffe's calls of BLAS and of the C library do.

Source: Caffe src/caffe/util/math_functions.cpp. Where Caffe takes a root or a square by powf, that
may be one bit off the rounded one.
"""

import numpy as np
import torch

from gcnet_caffe.engine.caffe_order.blas import dot, power


def axpy(alpha, x, y):
    """y += alpha x, in place, alpha x rounded first; returns `y`."""
    return y.add_(x * alpha)


def root(x):
    """Return the root of each element."""
    return torch.from_numpy(power(x.numpy(), 0.5))


def square(x):
    """Return the square of each element."""
    return torch.from_numpy(power(x.numpy(), 2))


def sum_of_squares(gradients):
    """Return the sum over the elements of all."""
    return sum((dot(g.numpy(), g.numpy()) for g in gradients), np.float32(0))
