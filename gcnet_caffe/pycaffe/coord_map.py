"""How the coordinates of two tops of a net in Python (net_spec) relate, and the Crop between them.

Source: Caffe python/caffe/coord_map.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Optional

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.pycaffe.net_spec import Function, Top, layers

#: Layers that move no coordinates.
PASS_THROUGH_LAYERS = [
    "AbsVal",
    "BatchNorm",
    "Bias",
    "BNLL",
    "Dropout",
    "Eltwise",
    "ELU",
    "Log",
    "LRN",
    "Exp",
    "MVN",
    "Power",
    "ReLU",
    "PReLU",
    "Scale",
    "Sigmoid",
    "Split",
    "TanH",
    "Threshold",
]

#: Axis that coordinates start after (None: any), and their scale and shift per axis of space.
CoordMap = tuple[Optional[int], Any, Any]


class UndefinedMapException(Exception):
    """A layer has no map of coordinates."""


class AxisMismatchException(Exception):
    """Two maps are of other axes."""


def conv_params(fn: Function) -> tuple[int, NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return axis, stride, extent of the kernel and pad of a Convolution, Pooling and the like."""
    params = fn.params.get("convolution_param", fn.params)
    old = {f"{name}_{axis}" for name in ("pad", "kernel", "stride") for axis in "hw"}
    assert not old & set(fn.params), "cropping does not support legacy _h/_w params"
    kernel, dilation, stride, pad = (
        np.array(value, ndmin=1)
        for value in (
            params["kernel_size"],
            params.get("dilation", 1),
            params.get("stride", 1),
            params.get("pad", 0),
        )
    )
    return params.get("axis", 1), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[int, NDArray[Any]]:
    """Return axis and offset of a Crop."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> CoordMap:
    """Return the map of a layer: coordinate of its bottom -> coordinate of its top.

    Raises
    ------
    UndefinedMapException
        It has none.
    """
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, extent, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (extent - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, extent, pad = conv_params(fn)
        return axis, stride, (extent - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return None, 1, 0
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(fn.type_name)


def compose(base_map: CoordMap, next_map: CoordMap) -> CoordMap:
    """Return the map that does `next_map` after `base_map`.

    Raises
    ------
    AxisMismatchException
        They are of other axes.
    """
    (axis, scale, shift), (other, factor, more) = base_map, next_map
    if axis is not None and other is not None and axis != other:
        raise AxisMismatchException(f"axes {axis} and {other}")
    return other if axis is None else axis, scale * factor, scale * more + shift


def inverse(coord_map: CoordMap) -> CoordMap:
    """Return the map back."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> CoordMap:
    """Return the map from the coordinates of one top to those of another.

    Both are followed back to a blob that they have in common.

    Raises
    ------
    RuntimeError
        There is none.
    """
    from_maps = {top_from: _IDENTITY}
    frontier = [top_from]
    while frontier:
        frontier += _followed(frontier.pop(), from_maps)
    to_maps = {top_to: _IDENTITY}
    frontier = [top_to]
    while frontier:
        top = frontier.pop()
        if top in from_maps:
            return compose(to_maps[top], inverse(from_maps[top]))
        frontier += _followed(top, to_maps)
    raise RuntimeError("Could not compute map between tops; are they connected by spatial layers?")


_IDENTITY: CoordMap = (None, 1, 0)


def _followed(top: Top, maps: dict[Top, CoordMap]) -> Sequence[Top]:
    """Add the maps of the bottoms of the layer of `top` to `maps`; return the bottoms.

    Of a Crop the first alone: the other only says the size.
    """
    bottoms = top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs
    try:
        for bottom in bottoms:
            maps[bottom] = compose(maps[top], coord_map(top.fn))
    except UndefinedMapException:
        return ()
    return bottoms


def crop(top_from: Top, top_to: Top) -> Any:
    """Return the top of a Crop layer that cuts `top_from` to where `top_to` is.

    Raises
    ------
    AssertionError
        Their scales differ, or the offset is below 0 or not whole.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    assert axis is not None
    assert (scale == 1).all(), f"scale mismatch on crop (a = {scale})"
    assert (shift <= 0).all(), f"cannot crop negative offset (b = {shift})"
    assert (np.round(shift) == shift).all(), f"cannot crop noninteger offset (b = {shift})"
    offset = (-np.round(shift)).astype(int).tolist()
    return layers.Crop(top_from, top_to, crop_param=dict(axis=axis + 1, offset=offset))
