"""im2col, col2im and the products of matrices that make a convolution, image by image.

Source: Caffe src/caffe/util/im2col.cpp, src/caffe/layers/base_conv_layer.cpp. The wide side of a
layer is the one that im2col is made of: the bottom of a Convolution, the top of a Deconvolution.
The other side is narrow. A blob is N x (channels * pixels) here.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import Array, product, sums
from gcnet_caffe.engine.caffe_order.compiled import HAS_NUMBA, compiled

Three = tuple[int, int, int]


class Windows(NamedTuple):
    """The windows of a layer, by depth, height and width, and the sizes of its two sides."""

    kernel: Three
    stride: Three
    padding: Three
    dilation: Three
    wide: Three
    narrow: Three


def _loops(image: Array, columns: Array, windows: Windows, back: bool) -> None:
    """Copy the windows of a flat image into `columns`, or add these to it if `back`."""
    depth, height, width = windows.wide
    planes, rows, places = windows.narrow
    kernel, stride, dilation = windows.kernel, windows.stride, windows.dilation
    step = stride[2]
    taken = 0
    for channel in range(len(image) // (depth * height * width)):
        for place in range(kernel[0] * kernel[1] * kernel[2]):
            left = place % kernel[2] * dilation[2] - windows.padding[2]
            first = min(max(-(left // step), 0), places)  # of the places inside the image
            last = max(min((width - 1 - left) // step + 1, places), first)
            top = place // kernel[2] % kernel[1] * dilation[1] - windows.padding[1]
            front = place // (kernel[2] * kernel[1]) * dilation[0] - windows.padding[0]
            for line_index in range(planes * rows):
                plane = line_index // rows * stride[0] + front
                row = line_index % rows * stride[1] + top
                line = columns[taken : taken + places]
                taken += places
                inside = 0 <= plane < depth and 0 <= row < height and first < last
                if not inside:
                    if not back:
                        line[:] = 0
                    continue
                start = ((channel * depth + plane) * height + row) * width + left
                pixels = image[start + first * step : start + (last - 1) * step + 1]
                used = line[first:last]
                if back:
                    if step == 1:
                        for index in range(len(used)):
                            pixels[index] += used[index]
                    else:
                        for index in range(len(used)):
                            pixels[index * step] += used[index]
                    continue
                line[:first] = 0
                line[last:] = 0
                if step == 1:
                    for index in range(len(used)):
                        used[index] = pixels[index]
                else:
                    for index in range(len(used)):
                        used[index] = pixels[index * step]


def _slices(image: Array, columns: Array, windows: Windows, back: bool) -> None:
    """As `_loops`, where there is no Numba."""
    full = [size + 2 * pad for size, pad in zip(windows.wide, windows.padding)]
    padded = np.zeros((image.size // np.prod(windows.wide), *full), np.float32)
    inner = tuple(slice(pad, pad + size) for pad, size in zip(windows.padding, windows.wide))
    middle = padded[(slice(None), *inner)]
    if not back:
        middle[...] = image.reshape(middle.shape)
    parts = columns.reshape(len(padded), -1, *windows.narrow)
    for place, starts in enumerate(itertools.product(*map(range, windows.kernel))):
        along = zip(starts, windows.dilation, windows.stride, windows.narrow)
        spans = (slice(s * d, s * d + (n - 1) * by + 1, by) for s, d, by, n in along)
        part = padded[(slice(None), *spans)]
        if back:
            part += parts[:, place]
        else:
            parts[:, place] = part
    if back:
        image += middle.reshape(-1)


_move = compiled(_loops) if HAS_NUMBA else _slices


@compiled
def _is_copy(windows: Windows) -> bool:
    """Whether im2col would only copy; Caffe then leaves it out."""
    return (
        windows.kernel == (1, 1, 1)
        and windows.padding == (0, 0, 0)
        and windows.wide == windows.narrow
    )


@compiled
def add_bias(blob: Array, bias: Array, start: int, stop: int) -> None:
    """Add bias[c] to channel c of images `start` to `stop`."""
    pixels = blob.shape[1] // max(len(bias), 1)
    for image in range(start, stop):
        for channel in range(len(bias)):
            blob[image, channel * pixels : (channel + 1) * pixels] += bias[channel]


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
    columns = np.empty(group * rows * pixels, np.float32)
    for image in range(start, stop):
        if _is_copy(windows):
            columns = wide[image]
        else:
            _move(wide[image], columns, windows, False)
        for g in range(group):
            product(
                False,
                False,
                out,
                pixels,
                rows,
                weight[g * out * rows :],
                rows,
                columns[g * rows * pixels :],
                pixels,
                np.float32(0),
                narrow[image, g * out * pixels :],
                pixels,
            )
        add_bias(narrow, bias, image, image + 1)


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
    columns = np.empty(group * rows * pixels, np.float32)
    for image in range(start, stop):
        if _is_copy(windows):
            columns = wide[image]
        for g in range(group):
            product(
                True,
                False,
                rows,
                pixels,
                out,
                weight[g * out * rows :],
                rows,
                narrow[image, g * out * pixels :],
                pixels,
                np.float32(0),
                columns[g * rows * pixels :],
                pixels,
            )
        if not _is_copy(windows):
            wide[image, :] = 0
            _move(wide[image], columns, windows, True)
        add_bias(wide, bias, image, image + 1)


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
    columns = np.empty(min(stop - start, of_group) * taps * pixels, np.float32)
    for image in range(len(wide)):
        for g in range(start // of_group, (stop - 1) // of_group + 1):
            first, last = max(start, g * of_group), min(stop, (g + 1) * of_group)
            used = columns[: (last - first) * taps * pixels]
            some = wide[image, first * plane : last * plane]
            if _is_copy(windows):
                used = some
            else:
                _move(some, used, windows, False)
            product(
                False,
                True,
                out,
                (last - first) * taps,
                pixels,
                narrow[image, g * out * pixels :],
                pixels,
                used,
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
