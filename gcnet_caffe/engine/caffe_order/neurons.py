"""Layers whose functions of the C library are other ones in PyTorch: Exp, Sigmoid and TanH.

Source: Caffe src/caffe/layers/<name>_layer.cpp.
"""

import math

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import exp, log, power, tanh

_F = np.float32


def exp_of(layer, bottom):
    """Exp."""
    param = layer.param.exp_param
    natural, shift = param.base == -1, _F(param.shift)
    inner = _F(param.scale) * (_F(1) if natural else log(_F(param.base)))
    outer = exp(shift) if natural else power(_F(param.base), shift)
    top = exp(bottom if inner == 1 else bottom * inner)
    top = top if outer == 1 else top * outer

    def back(gradient):
        found = top * gradient
        return [found if inner == 1 else found * inner]

    return top, back


def tanh_of(layer, bottom):
    """TanH."""
    top = tanh(bottom)

    def back(gradient):
        return [gradient * (1 - top * top)]

    return top, back


def sigmoid(x):
    """Return Caffe's sigmoid of each element: by tanh, in double precision."""
    halves = map(math.tanh, (0.5 * x.astype(np.float64)).reshape(-1))
    return (0.5 * np.fromiter(halves, np.float64, x.size) + 0.5).astype(_F).reshape(x.shape)


def sigmoid_of(layer, bottom):
    """Sigmoid."""
    top = sigmoid(bottom)

    def back(gradient):
        return [((gradient * top) * (1 - top.astype(np.float64))).astype(_F)]

    return top, back
