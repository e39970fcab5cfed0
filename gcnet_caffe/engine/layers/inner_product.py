"""InnerProduct. Source: Caffe src/caffe/layers/inner_product_layer.cpp."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Layer, Shape, register


@register("InnerProduct")
class InnerProduct(Layer):
    """top = bottom weight^T + bias, over everything from `axis` on.

    Blobs: weight (num_output, K), or (K, num_output) with `transpose`; bias (num_output).
    """

    def setup(self, shapes: Sequence[Shape]) -> Sequence[Shape]:
        param, shape = self.param.inner_product_param, shapes[0]
        self.check(param.num_output > 0, "num_output: found 0, wanted 1 or more")
        self.first = self.axis(param.axis, len(shape))
        inputs = math.prod(shape[self.first :])
        size = (param.num_output, inputs)
        self.add_blob(size[::-1] if param.transpose else size, param.weight_filler)
        if param.bias_term:
            self.add_blob((param.num_output,), param.bias_filler)
        return [(*shape[: self.first], param.num_output)]

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        leading = bottom.shape[: self.first]
        rows = bottom.reshape(math.prod(leading), -1)
        weight = self.blob(0)
        if self.param.inner_product_param.transpose:
            weight = weight.t()
        top = F.linear(rows, weight, self.blob(1) if len(self.blobs) > 1 else None)
        return top.reshape(*leading, top.shape[-1])
