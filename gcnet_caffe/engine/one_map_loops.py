"""Deconvolution with stride 1 into one channel, from a channels-last blob: its compiled loop.

A row of pixels is transposed, so that a vector holds 16 pixels of one channel; five taps of the
kernel at a time are multiplied with it. What they give is added to the map, each moved by its tap.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gcnet_caffe.engine import vectors
from gcnet_caffe.engine.loops import compiled

#: How many taps are multiplied at a time; `taps` have a multiple of it.
TOGETHER = 5

# names that compiled code knows
_v: Any = vectors
_load, _store, _zeros, _spread, _turn = _v.load, _v.store, _v.zeros, _v.spread, _v.turn
_add, _multiply_add = _v.add, _v.multiply_add


@compiled
def deconvolve(
    x: Any,
    channels: int,
    height: int,
    width: int,
    taps: Any,
    rows: int,
    columns: int,
    cut: tuple[int, int],
    top: Any,
    start: int,
    stop: int,
) -> None:
    """Write the maps of the images from `start` to `stop`.

    `x` (channels-last) and `top` are 1-d, of float32 or of bfloat16 as int16, and 16 pixels wide
    or more; `taps` are channels x taps, row by row, with zeros at the end. `cut` is how many rows
    and columns the map loses at each edge.
    """
    count = len(taps) // channels
    padded = (width + 15) // 16 * 16
    wide = padded + (columns + 15) // 16 * 16  # a row of the map before it is cut
    turned = np.zeros(channels * padded, np.float32)
    sums = np.empty((height + rows) * wide, np.float32)
    made = np.empty(TOGETHER * 16, np.float32)
    full = height + rows - 1 - 2 * cut[0], width + columns - 1 - 2 * cut[1]
    for image in range(start, stop):
        sums[:] = 0
        for y in range(height):
            row = (image * height + y) * width * channels
            for some in range(0, width, 16):
                first = min(some, width - 16)
                for c in range(0, channels, 16):
                    place = c * padded + first
                    _turn(x, row + first * channels + c, channels, turned, place, padded)
            for tap in range(0, count, TOGETHER):
                for first in range(0, padded, 16):
                    a = b = c = d = e = _zeros()
                    for channel in range(channels):
                        pixels = _load(turned, channel * padded + first)
                        at = channel * count + tap
                        a = _multiply_add(pixels, _spread(taps, at), a)
                        b = _multiply_add(pixels, _spread(taps, at + 1), b)
                        c = _multiply_add(pixels, _spread(taps, at + 2), c)
                        d = _multiply_add(pixels, _spread(taps, at + 3), d)
                        e = _multiply_add(pixels, _spread(taps, at + 4), e)
                    _store(made, 0, a)
                    _store(made, 16, b)
                    _store(made, 32, c)
                    _store(made, 48, d)
                    _store(made, 64, e)
                    for one in range(min(TOGETHER, rows * columns - tap)):
                        down, right = divmod(tap + one, columns)
                        place = (y + down) * wide + first + right
                        _store(sums, place, _add(_load(sums, place), _load(made, one * 16)))
        for y in range(full[0]):
            for some in range(0, full[1], 16):
                first = min(some, full[1] - 16)
                numbers = _load(sums, (y + cut[0]) * wide + first + cut[1])
                _store(top, (image * full[0] + y) * full[1] + first, numbers)
