"""Scale and Bias. Source: Caffe src/caffe/layers/scale_layer.cpp and bias_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from gcnet_caffe.engine.layers.base import Layer, Shape, register
from gcnet_caffe.formats import caffe_pb


class _Broadcast(Layer):
    """A blob over some axes of the bottom, learned or the second bottom."""

    bottoms = (1, 2)

    def _span(self, param: Any, shapes: Sequence[Shape]) -> Shape:
        """Return the shape of the blob: of the axes that `axis` and `num_axes` give."""
        shape = shapes[0]
        if len(shapes) == 2 and not shapes[1]:  # a scalar
            self.first = 0
            return ()
        self.first = self.axis(param.axis, len(shape))
        if len(shapes) == 2:
            span = shapes[1]
            wanted = shape[self.first : self.first + len(span)]
            self.check(
                span == wanted, f"axis {param.axis}: bottom 1 is {span}, wanted {wanted} of {shape}"
            )
            return span
        count = len(shape) - self.first if param.num_axes == -1 else param.num_axes
        self.check(param.num_axes >= -1, f"num_axes: found {param.num_axes}, wanted -1 or more")
        self.check(
            self.first + count <= len(shape),
            f"num_axes {param.num_axes}: from axis {param.axis} on there are "
            f"{len(shape) - self.first}",
        )
        return shape[self.first : self.first + count]

    def _spread(self, blob: torch.Tensor, bottom: torch.Tensor) -> torch.Tensor:
        """Return `blob` as a view that broadcasts against `bottom`."""
        after = bottom.dim() - self.first - blob.dim()
        return blob.reshape([1] * self.first + list(blob.shape) + [1] * after)


@register("Scale")
class Scale(_Broadcast):
    """top = bottom * scale + bias. Blobs: scale, unless it is the second bottom; bias."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.scale_param
        span = self._span(param, shapes)
        self.learned = len(shapes) == 1
        if self.learned:
            one = caffe_pb.FillerParameter(type="constant", value=1)
            self.add_blob(span, param.filler if param.HasField("filler") else one)
        if param.bias_term:
            self.add_blob(span, param.bias_filler)
        #: Whether it is one number per channel, as after a BatchNorm.
        self.is_channel_wise = self.learned and self.first == 1 and len(span) == 1

    def forward(self, bottom: torch.Tensor, scale: torch.Tensor | None = None) -> torch.Tensor:
        top = bottom * self._spread(self.blob(0) if scale is None else scale, bottom)
        return top if self.bias is None else top + self._spread(self.bias, bottom)

    @property
    def bias(self) -> torch.Tensor | None:
        """The blob that is added, or None without a `bias_term`."""
        return self.blob(int(self.learned)) if self.param.scale_param.bias_term else None


@register("Bias")
class Bias(_Broadcast):
    """top = bottom + bias. Blob: the bias, unless it is the second bottom."""

    def prepare(self, shapes: Sequence[Shape]) -> None:
        param = self.param.bias_param
        span = self._span(param, shapes)
        if len(shapes) == 1:
            self.add_blob(span, param.filler)

    def forward(self, bottom: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        return bottom + self._spread(self.blob(0) if bias is None else bias, bottom)
