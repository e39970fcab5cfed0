"""Eltwise, Reduction and ArgMax: source Caffe src/caffe/layers/<name>_layer.cpp."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch

from gcnet_caffe.engine.layers.base import Layer, Shape, Tops, register
from gcnet_caffe.engine.layers.neuron import without_backward
from gcnet_caffe.formats import caffe_pb

_OPERATION = caffe_pb.EltwiseParameter
#: What makes one number of each row.
_REDUCTIONS: dict[int, Callable[[torch.Tensor], torch.Tensor]] = {
    caffe_pb.ReductionParameter.SUM: lambda rows: rows.sum(-1),
    caffe_pb.ReductionParameter.ASUM: lambda rows: rows.abs().sum(-1),
    caffe_pb.ReductionParameter.SUMSQ: lambda rows: rows.square().sum(-1),
    caffe_pb.ReductionParameter.MEAN: lambda rows: rows.mean(-1),
}


@register("Eltwise")
class Eltwise(Layer):
    """PROD, SUM (with a coefficient per bottom) or MAX of blobs of one shape."""

    bottoms = (2, None)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.eltwise_param
        given = len(param.coeff)
        self.check(given in (0, len(shapes)), f"coeff: found {given}, wanted one per bottom")
        self.check(
            not (given and param.operation == _OPERATION.PROD), "coeff: for SUM only, not for PROD"
        )
        for index, shape in enumerate(shapes):
            self.check(shape == shapes[0], f"bottom {index} is {shape}, bottom 0 {shapes[0]}")
        self.coeffs: list[float] = list(param.coeff) or [1.0] * len(shapes)

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

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.first = self.axis(self.param.reduction_param.axis, max(len(shapes[0]), 1))

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param = self.param.reduction_param
        top = _REDUCTIONS[param.operation](bottom.reshape(*bottom.shape[: self.first], -1))
        return top if param.coeff == 1 else top * param.coeff


@register("ArgMax")
class ArgMax(Layer):
    """The places of the top_k largest values, or the values, of each image or along `axis`.

    Of equal values the one with the higher index comes first. Has no backward.
    """

    has_backward = False

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.argmax_param, shapes[0]
        self.has_axis = param.HasField("axis")
        self.dim = self.axis(param.axis, len(shape)) if self.has_axis else 1
        size = shape[self.dim] if self.has_axis else math.prod(shape[1:])
        self.check(1 <= param.top_k <= size, f"top_k: found {param.top_k}, wanted 1 to {size}")

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        param, dim = self.param.argmax_param, self.dim
        data = bottom.detach() if self.has_axis else bottom.detach().flatten(1)
        values, places = torch.sort(data.flip(dim), dim=dim, descending=True, stable=True)
        values = values.narrow(dim, 0, param.top_k)
        places = (data.shape[dim] - 1 - places.narrow(dim, 0, param.top_k)).to(bottom.dtype)
        if self.has_axis:
            top = values if param.out_max_val else places
        else:
            top = torch.stack([places, values], 1) if param.out_max_val else places[:, None]
            top = top.reshape(*top.shape, *(1,) * (bottom.dim() - 3))
        return without_backward(self, top, bottom)
