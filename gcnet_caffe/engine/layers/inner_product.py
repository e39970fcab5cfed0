"""InnerProduct and Embed. Source: Caffe src/caffe/layers/<name>_layer.cpp."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from gcnet_caffe.engine.layers.base import Shape, Weighted, register
from gcnet_caffe.formats.labels import label_range


@register("InnerProduct")
class InnerProduct(Weighted):
    """top = bottom weight^T + bias, over everything from `axis` on.

    Blobs: weight (num_output, K), or (K, num_output) with `transpose`; bias (num_output).
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param, shape = self.param.inner_product_param, shapes[0]
        self.check(param.num_output > 0, "num_output: found 0, wanted 1 or more")
        self.first = self.axis(param.axis, len(shape))
        size = (param.num_output, math.prod(shape[self.first :]))
        self.add_weights(size[::-1] if param.transpose else size, param)

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        leading = bottom.shape[: self.first]
        rows = bottom.reshape(math.prod(leading), -1)
        transposed = self.param.inner_product_param.transpose
        weight = self.blob(0).t() if transposed else self.blob(0)
        top = F.linear(rows, weight, self.bias)
        return top.reshape(*leading, top.shape[-1])


@register("Embed")
class Embed(Weighted):
    """top = the row of the weight that each number of the bottom says, + bias.

    Blobs: weight (input_dim, num_output); bias (num_output).
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.embed_param
        for name in ("num_output", "input_dim"):
            self.check(getattr(param, name) > 0, f"{name}: found 0, wanted 1 or more")
        self.add_weights((param.input_dim, param.num_output), param)
        self.label_range = label_range(self.param, shapes[0])

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        top = F.embedding(bottom.long(), self.blob(0))
        return top if self.bias is None else top + self.bias
