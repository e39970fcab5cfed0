"""Max pooling, and SPP.

PyTorch's max pooling adds nothing up either, but is slow in Caffe's format.
Source: Caffe src/caffe/layers/pooling_layer.cpp, spp_layer.cpp.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine.caffe_order.blas import Array
from gcnet_caffe.engine.caffe_order.rule import Back, Top, by_torch
from gcnet_caffe.engine.loops import compiled, share

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.pooling import SPP, Pooling

Pair = tuple[int, int]
_LOWEST = np.finfo(np.float32).min
_U = np.uint64


def max_pooling(layer: Pooling, bottom: Array) -> tuple[Top, Back]:
    """Pooling by the maximum; a second top is the mask."""
    (shape, *_), full = layer.top_shapes([bottom.shape]), bottom.shape[2:]
    kernel = full if layer.param.pooling_param.global_pooling else layer.kernel
    planes = bottom.shape[0] * bottom.shape[1]
    top = np.empty((planes, shape[2], shape[3]), np.float32)
    mask = np.empty(top.shape, np.int64)
    windows = tuple(kernel), tuple(layer.stride), tuple(layer.pad)
    work = top[0].size * kernel[0] * kernel[1]
    share(_pooled, planes, work, bottom.reshape(planes, *full), top, mask, *windows)

    def back(gradient: Array, _mask: object = None) -> list[Array]:
        found = np.zeros((planes, full[0] * full[1]), np.float32)
        share(_returned, planes, top[0].size, gradient.reshape(planes, -1), mask, found)
        return [found.reshape(bottom.shape)]

    made = top.reshape(shape)
    return ((made, mask.reshape(shape)) if layer.num_tops == 2 else made), back


def spp(layer: SPP, bottom: Array) -> tuple[Top, Back]:
    """SPP."""
    made = [by_torch(pool, bottom) for pool in layer.pools_of(bottom.shape)]
    tops = [top.reshape(len(bottom), -1) for top, _ in made]
    edges = np.cumsum([top.shape[1] for top in tops])[:-1]

    def back(gradient: Array) -> list[Array]:
        parts = np.split(gradient.reshape(len(bottom), -1), edges, axis=1)
        found = (
            to_bottom(np.ascontiguousarray(part).reshape(top.shape))
            for (top, to_bottom), part in zip(made, parts)
        )
        return [functools.reduce(np.add, found)]

    return (made[0][0] if len(made) == 1 else np.concatenate(tops, 1)), back


@compiled
def _pooled(
    bottom: Array,
    top: Array,
    mask: NDArray[np.int64],
    kernel: Pair,
    stride: Pair,
    pad: Pair,
    start: int,
    stop: int,
) -> None:
    """Without a branch in the inner loop, whose outcome nobody can foresee."""
    _, height, width = bottom.shape
    for plane in range(start, stop):
        pixels = bottom[plane].reshape(-1)
        for line in range(top.shape[1]):
            above = line * stride[0] - pad[0]
            rows = range(max(above, 0), min(above + kernel[0], height))
            for place in range(top.shape[2]):
                left = place * stride[1] - pad[1]
                first, last = max(left, 0), min(left + kernel[1], width)
                best, found = _LOWEST, np.int64(-1)
                for row in rows:
                    for pixel in range(_U(row * width + first), _U(row * width + last)):
                        value = pixels[pixel]
                        larger = value > best
                        best = value if larger else best
                        found = np.int64(pixel) if larger else found
                top[plane, line, place], mask[plane, line, place] = best, found


@compiled
def _returned(
    gradient: Array, mask: NDArray[np.int64], found: Array, start: int, stop: int
) -> None:
    for plane in range(start, stop):
        changes, places, made = gradient[plane], mask[plane].reshape(-1), found[plane]
        for index in range(len(changes)):
            if places[index] >= 0:
                made[_U(places[index])] += changes[index]
