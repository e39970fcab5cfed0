"""Layers whose top is their bottom: which of them Caffe refuses, or computes wrongly.

Source: Caffe src/caffe/layers/<name>_layer.cpp: a CHECK against in-place computation, or a forward
that writes its top before it has read its bottom. tests/engine/test_in_place.py compares this with
real Caffe for every layer type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from gcnet_caffe.formats.shapes import Shape, window

_REFUSED = ("AbsVal", "Flatten", "Reshape", "Split")


def in_place_fault(
    layer: Any, bottoms: Sequence[Shape | None], tops: Sequence[Shape | None]
) -> str:
    """Return why a LayerParameter cannot be in place, or nothing where it is not, or can be.

    Parameters
    ----------
    layer : LayerParameter
    bottoms, tops : sequences of shapes
        A shape, or an axis of it, is None where it is not known.
    """
    for name, other, bottom, top in zip(layer.bottom, layer.top, bottoms, tops):
        if name != other:
            continue
        again = f"; give the top {name!r} another name"
        if layer.type in _REFUSED:
            return f"{layer.type} Layer does not allow in-place computation{again}"
        if _count(bottom) != _count(top) and None not in (_count(bottom), _count(top)):
            return f"in place, but the bottom is of shape {bottom} and the top of {top}{again}"
        if layer.type in _OVERWRITES_UNREAD and _OVERWRITES_UNREAD[layer.type](layer):
            return (
                "in place, Caffe overwrites the bottom before it has read it and computes "
                f"something else{again}"
            )
    return ""


def _count(shape: Shape | None) -> int | None:
    sizes = [size for size in shape or () if size is not None]
    return None if shape is None or len(sizes) < len(shape) else math.prod(sizes)


def _is_pointwise(layer: Any) -> bool:
    return set(window(layer.convolution_param, 2)[0]) == {1}


def _windows_overlap(layer: Any) -> bool:
    kernel, stride, _ = window(layer.pooling_param, 2)
    return any(step < size for step, size in zip(stride, kernel))


def _moves_axes(layer: Any) -> bool:
    order = list(layer.permute_param.order)
    return order != list(range(len(order)))


#: Layers of other Caffes that do so always.
_FORKS = (
    "Axpy ConvolutionDepthwise Flip InnerProductAsProb Interp MarginInnerProduct PSROIPooling "
    "ROIPooling ShuffleChannel Upsample"
)

#: Type -> whether such a layer in place overwrites what it has not read.
_OVERWRITES_UNREAD: dict[str, Callable[[Any], bool]] = {
    "BatchReindex": lambda layer: True,
    "Convolution": _is_pointwise,  # larger ones are read by im2col first
    "Deconvolution": _is_pointwise,
    "DepthwiseConvolution": _is_pointwise,
    "Eltwise": lambda layer: layer.eltwise_param.operation != layer.eltwise_param.PROD,
    "Im2col": lambda layer: not _is_pointwise(layer),
    "InnerProduct": lambda layer: True,
    "LRN": lambda layer: layer.lrn_param.norm_region == layer.lrn_param.ACROSS_CHANNELS,
    "MaxUnpool": _windows_overlap,
    "Permute": _moves_axes,
    "Pooling": lambda layer: True,
    "SPP": lambda layer: True,
    **dict.fromkeys(_FORKS.split(), lambda layer: True),
}
