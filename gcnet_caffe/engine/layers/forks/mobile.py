"""Layers of small and fast nets: depthwise convolutions, ShuffleChannel, Axpy."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gcnet_caffe.engine.layers.base import Layer, Shape, register
from gcnet_caffe.engine.layers.convolution import Convolution
from gcnet_caffe.formats import caffe_pb


@register("DepthwiseConvolution")
class DepthwiseConvolution(Convolution):
    """A Convolution: only its CUDA code differs. Its `group` is the number of channels.

    Source: yonghenglh6/DepthwiseConvolution, depthwise_conv_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        super().prepare(shapes)
        channels = shapes[0][self.channel_axis]
        self.check(
            self.group == channels == self.param.convolution_param.num_output,
            f"group {self.group}, num_output {self.param.convolution_param.num_output}: wanted "
            f"{channels}, the number of channels",
        )


@register("ConvolutionDepthwise")
class ConvolutionDepthwise(Convolution):
    """A filter for each channel: top_c = weight_c * bottom_c + bias_c.

    Blobs: weight (C, 1, h, w), bias (C). `num_output` and `group` are not read.

    Source: farmingyard/caffe-mobilenet, conv_dw_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.check(
            len(shapes) == 1 and len(shapes[0]) == 4,
            f"found bottoms of {', '.join(map(str, shapes))}, wanted one of 4 axes",
        )
        written = self.param
        self.param = caffe_pb.LayerParameter()
        self.param.CopyFrom(written)  # the prototxt's own is what a snapshot has
        param = self.param.convolution_param
        param.num_output = param.group = shapes[0][1]
        super().prepare(shapes)
        self.param = written


@register("ShuffleChannel")
class ShuffleChannel(Layer):
    """Channel c of C becomes channel (c mod (C / group)) group + c / (C / group), rounded down.

    Source: farmingyard/ShuffleNet, shuffle_channel_layer.cpp.
    """

    def prepare(self, shapes: Sequence[Shape]) -> None:
        self.group, shape = self.param.shuffle_channel_param.group, shapes[0]
        self.check(len(shape) >= 2, f"found a bottom of shape {shape}, wanted N x C x ...")
        self.check(
            self.group > 0 and shape[1] % self.group == 0,
            f"group {self.group}: must divide the {shape[1]} channels",
        )

    def forward(self, bottom: torch.Tensor) -> torch.Tensor:
        grouped = bottom.reshape(len(bottom), self.group, -1, *bottom.shape[2:])
        return grouped.transpose(1, 2).reshape(bottom.shape)


@register("Axpy")
class Axpy(Layer):
    """top = a x + y: a is one number per channel of x (N x C, or N x C x 1 x 1).

    Source: hujie-frank/SENet, axpy_layer.cpp.
    """

    bottoms = (3, 3)

    def prepare(self, shapes: Sequence[Shape]) -> None:
        a, x, y = shapes
        self.check(
            len(x) >= 2 and a[:2] == x[:2] and set(a[2:]) <= {1} and x == y,
            f"found bottoms of {a}, {x} and {y}, wanted N x C (x 1 x 1), and two of N x C x ...",
        )

    def forward(self, a: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return a.reshape(*x.shape[:2], *[1] * (x.dim() - 2)) * x + y
