"""Eltwise, Reduction and ArgMax: source Caffe src/caffe/layers/<name>_layer.cpp."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch

from gcnet_caffe.engine.layers.base import Layer, Shape, Tops, register
from gcnet_caffe.engine.layers.neuron import without_backward
from gcnet_caffe.formats import caffe_pb

_OPERATION = caffe_pb.EltwiseParameter


@register("Eltwise")
class Eltwise(Layer):
    """PROD, SUM (with a coefficient per bottom) or MAX of blobs of one shape."""

    bottoms = (2, None)

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param = self.param.eltwise_param
        given = len(param.coeff)
        self.check(given in (0, len(shapes)), f"coeff: found {given}, wanted one per bottom")
        self.check(
            not (given and param.operation == _OPERATION.PROD), "coeff: for SUM only, not for PROD"
        )
        for index, shape in enumerate(shapes):
            self.check(shape == shapes[0], f"bottom {index} is {shape}, bottom 0 {shapes[0]}")
        self.coeffs: list[float] = list(param.coeff) or [1.0] * len(shapes)
        return [shapes[0]]

    def forward(self, *bottoms: torch.Tensor) -> Tops:
        operation = self.param.eltwise_param.operation
        if operation == _OPERATION.PROD:
            return functools.reduce(torch.mul, bottoms)
        if operation == _OPERATION.SUM:
            parts = [b if c == 1 else b * c for b, c in zip(bottoms, self.coeffs)]
            return functools.reduce(torch.add, parts)
        top = torch.where(bottoms[0] > bottoms[1], bottoms[0], bottoms[1])
        for bottom in bottoms[2:]:
            top = torch.where(bottom > top, bottom, top)
        return top


@register("Reduction")
class Reduction(Layer):
    """coeff times the SUM, ASUM, SUMSQ or MEAN over all axes from `axis` on."""

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param = self.param.reduction_param
        self.first = self.axis(param.axis, max(len(shapes[0]), 1))
        return [shapes[0][: self.first]]

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.reduction_param
        rows = bottom.reshape(*bottom.shape[: self.first], -1)
        if param.operation == param.ASUM:
            top = rows.abs().sum(-1)
        elif param.operation == param.SUMSQ:
            top = rows.square().sum(-1)
        elif param.operation == param.MEAN:
            top = rows.mean(-1)
        else:
            top = rows.sum(-1)
        return top if param.coeff == 1 else top * param.coeff


@register("ArgMax")
class ArgMax(Layer):
    """The places (and values) of the top_k largest, of each image or along `axis`.

    Of equal values the one of the higher place comes first. Has no backward.
    """

    has_backward = False

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, shape = self.param.argmax_param, list(shapes[0])
        self.has_axis = param.HasField("axis")
        self.check(param.top_k >= 1, f"top_k: found {param.top_k}, wanted 1 or more")
        if self.has_axis:
            self.dim = self.axis(param.axis, len(shape))
            size = shape[self.dim]
        else:
            size = math.prod(shape[1:])
        self.check(param.top_k <= size, f"top_k: found {param.top_k}, wanted at most {size}")
        if self.has_axis:
            shape[self.dim] = param.top_k
            return [tuple(shape)]
        rows = 2 if param.out_max_val else 1
        return [(shape[0], rows, param.top_k) + (1,) * (len(shape) - 3)]

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.argmax_param
        data = bottom.detach() if self.has_axis else bottom.detach().flatten(1)
        dim = self.dim if self.has_axis else 1
        size = data.shape[dim]
        values, places = torch.sort(data.flip(dim), dim=dim, descending=True, stable=True)
        values = values.narrow(dim, 0, param.top_k)
        places = (size - 1 - places.narrow(dim, 0, param.top_k)).to(bottom.dtype)
        if self.has_axis:
            top = values if param.out_max_val else places
        else:
            top = torch.stack([places, values], 1) if param.out_max_val else places[:, None]
            top = top.reshape(*top.shape, *(1,) * (bottom.dim() - 3))
        return without_backward(self, top, bottom)
