"""im2col, col2im and the products of matrices that make a convolution, image by image.

Source: Caffe src/caffe/util/im2col.cpp, src/caffe/layers/base_conv_layer.cpp. The wide side of a
layer is the one that im2col is made of: the bottom of a Convolution, the top of a Deconvolution.
The other side is narrow. A blob is N x (channels * pixels) here.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import Array, product, sums
from gcnet_caffe.engine.loops import compiled, has_numba

Three = tuple[int, int, int]
_U = np.uint64
#: Small images are multiplied together, up to so many columns.
_TOGETHER = 512


class Windows(NamedTuple):
    """The windows of a layer, by depth, height and width, and the sizes of its two sides."""

    kernel: Three
    stride: Three
    padding: Three
    dilation: Three
    wide: Three
    narrow: Three


def _loops(image: Array, matrix: Array, start: int, windows: Windows, back: bool) -> None:
    """Copy the windows of a flat image into `matrix`, or add these to it if `back`.

    Each row of `matrix` is of one place in the windows; columns from `start` on are an image's.

    Without a sign an index is not taken for one from the end, and the inner loops are fast.
    """
    depth, height, width = windows.wide
    planes, rows, places = windows.narrow
    kernel, stride, dilation = windows.kernel, windows.stride, windows.dilation
    step = _U(stride[2])
    columns, line = matrix.reshape(-1), _U(start)
    further = _U(matrix.shape[1] - planes * rows * places)
    for channel in range(len(image) // (depth * height * width)):
        for place in range(kernel[0] * kernel[1] * kernel[2]):
            left = place % kernel[2] * dilation[2] - windows.padding[2]
            first = min(max(-(left // stride[2]), 0), places)  # of the places inside the image
            last = max(min((width - 1 - left) // stride[2] + 1, places), first)
            top = place // kernel[2] % kernel[1] * dilation[1] - windows.padding[1]
            front = place // (kernel[2] * kernel[1]) * dilation[0] - windows.padding[0]
            for of_planes in range(planes):
                plane = of_planes * stride[0] + front
                for of_rows in range(rows):
                    row = of_rows * stride[1] + top
                    inside = 0 <= plane < depth and 0 <= row < height and first < last
                    used, end = (first, last) if inside else (places, places)
                    begin = ((channel * depth + plane) * height + row) * width + left
                    pixel, column = _U(begin + used * stride[2]), line + _U(used)
                    if back and step == 1:
                        for index in range(_U(end - used)):
                            image[pixel + index] += columns[column + index]
                    elif back:
                        for index in range(_U(end - used)):
                            image[pixel + index * step] += columns[column + index]
                    else:
                        for index in range(_U(used)):
                            columns[line + index] = 0
                        for index in range(_U(end), _U(places)):
                            columns[line + index] = 0
                        if step == 1:
                            for index in range(_U(end - used)):
                                columns[column + index] = image[pixel + index]
                        else:
                            for index in range(_U(end - used)):
                                columns[column + index] = image[pixel + index * step]
                    line += _U(places)
            line += further


def _slices(image: Array, matrix: Array, start: int, windows: Windows, back: bool) -> None:
    """As `_loops`, where there is no Numba."""
    full = [size + 2 * pad for size, pad in zip(windows.wide, windows.padding)]
    padded = np.zeros((image.size // math.prod(windows.wide), *full), np.float32)
    inner = tuple(slice(pad, pad + size) for pad, size in zip(windows.padding, windows.wide))
    middle = padded[(slice(None), *inner)]
    if not back:
        middle[...] = image.reshape(middle.shape)
    places = list(itertools.product(*map(range, windows.kernel)))
    for place, starts in enumerate(places):
        along = zip(starts, windows.dilation, windows.stride, windows.narrow)
        spans = (slice(s * d, s * d + (n - 1) * by + 1, by) for s, d, by, n in along)
        part = padded[(slice(None), *spans)]
        rows = matrix[place :: len(places), start : start + part[0].size]
        if back:
            part += rows.reshape(part.shape)
        else:
            rows[...] = part.reshape(rows.shape)
    if back:
        image += middle.reshape(-1)


# a constant for compiled code
_HAS_NUMBA = has_numba()
_move = compiled(_loops) if _HAS_NUMBA else _slices


@compiled
def to_columns(
    wide: Array, columns: Array, windows: Windows, back: bool, start: int, stop: int
) -> None:
    """Copy the windows of images `start` to `stop` into `columns`, or add these to it if `back`."""
    for image in range(start, stop):
        _move(wide[image], columns[image], 0, windows, back)


@compiled
def _add_bias(blob: Array, bias: Array, start: int, stop: int) -> None:
    """Add bias[c] to channel c of images `start` to `stop`."""
    pixels = blob.shape[1] // max(len(bias), 1)
    for image in range(start, stop):
        for channel in range(len(bias)):
            line, number = blob[image, channel * pixels : (channel + 1) * pixels], bias[channel]
            if _HAS_NUMBA:
                for index in range(pixels):
                    line[index] += number
            else:
                line += number


@compiled
def _exchange(blob: Array, start: int, stop: int, matrix: Array, back: bool) -> None:
    """Copy images `start` to `stop` side by side into `matrix`, a row a channel, or `back`."""
    pixels = blob.shape[1] // len(matrix)
    for image in range(start, stop):
        for channel in range(len(matrix)):
            there = matrix[channel, (image - start) * pixels : (image - start + 1) * pixels]
            here = blob[image, channel * pixels : (channel + 1) * pixels]
            if back:
                here[:] = there
            else:
                there[:] = here


@compiled
def make_narrow(
    wide: Array,
    weight: Array,
    bias: Array,
    narrow: Array,
    channels: int,
    group: int,
    windows: Windows,
    start: int,
    stop: int,
) -> None:
    """Make images `start` to `stop` of the narrow side, of `channels`, from the wide one.

    `weight` is flat; `bias` may be empty.
    """
    pixels, rows, out = narrow.shape[1] // channels, len(weight) // channels, channels // group
    block = max(min(_TOGETHER // pixels, stop - start), 1)
    length = block * pixels
    columns = np.empty((group * rows, length), np.float32)
    made = np.empty((channels, length), np.float32)
    for first in range(start, stop, block):
        last = min(first + block, stop)
        for image in range(first, last):
            _move(wide[image], columns, (image - first) * pixels, windows, False)
        for g in range(group):
            product(
                False,
                False,
                out,
                (last - first) * pixels,
                rows,
                weight[g * out * rows :],
                rows,
                columns[g * rows :].reshape(-1),
                length,
                np.float32(0),
                made[g * out :].reshape(-1),
                length,
            )
        _exchange(narrow, first, last, made, True)
        _add_bias(narrow, bias, first, last)


@compiled
def make_wide(
    narrow: Array,
    weight: Array,
    bias: Array,
    wide: Array,
    channels: int,
    group: int,
    windows: Windows,
    start: int,
    stop: int,
) -> None:
    """Make images `start` to `stop` of the wide side from the narrow one, of `channels`."""
    pixels, rows, out = narrow.shape[1] // channels, len(weight) // channels, channels // group
    block = max(min(_TOGETHER // pixels, stop - start), 1)
    length = block * pixels
    columns = np.empty((group * rows, length), np.float32)
    given = np.empty((channels, length), np.float32)
    for first in range(start, stop, block):
        last = min(first + block, stop)
        _exchange(narrow, first, last, given, False)
        for g in range(group):
            product(
                True,
                False,
                rows,
                (last - first) * pixels,
                out,
                weight[g * out * rows :],
                rows,
                given[g * out :].reshape(-1),
                length,
                np.float32(0),
                columns[g * rows :].reshape(-1),
                length,
            )
        for image in range(first, last):
            wide[image, :] = 0
            _move(wide[image], columns, (image - first) * pixels, windows, True)
        _add_bias(wide, bias, first, last)


@compiled
def add_to_weight(
    wide: Array,
    narrow: Array,
    gradient: Array,
    channels: int,
    group: int,
    windows: Windows,
    start: int,
    stop: int,
) -> None:
    """Add what all images give, in their order, to the flat `gradient` of the weight.

    `channels` are those of the narrow side; only channels `start` to `stop` of the wide one count.
    """
    depth, height, width = windows.wide
    plane = depth * height * width
    of_group = wide.shape[1] // plane // group
    pixels, rows, out = narrow.shape[1] // channels, len(gradient) // channels, channels // group
    taps = rows // of_group
    columns = np.empty((min(stop - start, of_group) * taps, pixels), np.float32)
    for image in range(len(wide)):
        for g in range(start // of_group, (stop - 1) // of_group + 1):
            first, last = max(start, g * of_group), min(stop, (g + 1) * of_group)
            used = columns[: (last - first) * taps]
            _move(wide[image, first * plane : last * plane], used, 0, windows, False)
            product(
                False,
                True,
                out,
                (last - first) * taps,
                pixels,
                narrow[image, g * out * pixels :],
                pixels,
                used.reshape(-1),
                pixels,
                np.float32(1),
                gradient[g * out * rows + (first - g * of_group) * taps :],
                rows,
            )


@compiled
def add_to_bias(blob: Array, pixels: int, gradient: Array, start: int, stop: int) -> None:
    """Add the sums of channels `start` to `stop`, of `pixels` each, image by image."""
    ones = np.ones(pixels, np.float32)
    for image in range(len(blob)):
        part = blob[image, start * pixels :]
        sums(
            False, stop - start, pixels, np.float32(1), part, ones, np.float32(1), gradient[start:]
        )
