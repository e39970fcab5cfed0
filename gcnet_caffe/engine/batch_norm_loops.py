"""BatchNorm and what follows it on channels-last blobs: the loops that Numba compiles.

A blob is a 1-d array of float32, or of bfloat16 as int16: the `channels` numbers of a pixel, then
those of the next. `channels` is a multiple of 16. A pixel is normalized as y = a x + b, where a and
b have a number per channel, and y < 0 becomes 0 if it is `rectified`.

`codes` (uint8) say which pixel of a window of 2x2 is the maximum: 0 to 3, row by row; 4 means
pixel 0, and that no y is positive. `width` is that of the smaller blob, whose rows are the parts.

A loop takes the parts from `start` to `stop` (pieces of `PIECE` pixels, or rows). Every part has
sums of its own, so that they are the same for any number of threads.
"""

from __future__ import annotations

from typing import Any

from gcnet_caffe.engine import vectors
from gcnet_caffe.engine.loops import compiled

#: How many pixels are a part, where it is not rows.
PIECE = 128

# names that compiled code knows
_v: Any = vectors
_load, _store, _zeros, _whole = _v.load, _v.store, _v.zeros, _v.whole
_add, _multiply_add, _widen, _rectify = _v.add, _v.multiply_add, _v.widen, _v.rectify
_is_greater, _is_zero, _is_positive = _v.is_greater, _v.is_zero, _v.is_positive
_equals, _both, _choose = _v.equals, _v.both, _v.choose


@compiled
def moments(x: Any, channels: int, sums: Any, start: int, stop: int) -> None:
    """Write the sums of x and of its squares in each piece: `sums` are pieces x 2 x channels."""
    for piece in range(start, stop):
        first = piece * PIECE * channels
        last = min(first + PIECE * channels, len(x))
        for c in range(0, channels, 16):
            total = _widen(_zeros())
            squares = total
            for at in range(first + c, last, channels):
                value = _widen(_load(x, at))
                total = _add(total, value)
                squares = _multiply_add(value, value, squares)
            _store(sums, 2 * piece * channels + c, total)
            _store(sums, (2 * piece + 1) * channels + c, squares)


@compiled
def normalize(
    x: Any, channels: int, a: Any, b: Any, rectified: bool, top: Any, start: int, stop: int
) -> None:
    """Write y of each piece."""
    last = min(stop * PIECE * channels, len(x))
    for first in range(start * PIECE * channels, last, channels):
        for c in range(0, channels, 16):
            y = _multiply_add(_load(x, first + c), _load(a, c), _load(b, c))
            if rectified:
                y = _rectify(y)
            _store(top, first + c, y)


@compiled
def pool(
    x: Any, channels: int, width: int, a: Any, b: Any, top: Any, codes: Any, start: int, stop: int
) -> None:
    """Write the maximum of each window of rectified y, and its code; the first of equal ones."""
    for row in range(start, stop):
        for column in range(width):
            pooled = (row * width + column) * channels
            first = (4 * row * width + 2 * column) * channels
            below = first + 2 * width * channels
            for c in range(0, channels, 16):
                slope, shift = _load(a, c), _load(b, c)
                best = _rectify(_multiply_add(_load(x, first + c), slope, shift))
                code = _whole(0)
                y = _rectify(_multiply_add(_load(x, first + channels + c), slope, shift))
                wins = _is_greater(y, best)
                best, code = _choose(wins, y, best), _choose(wins, _whole(1), code)
                y = _rectify(_multiply_add(_load(x, below + c), slope, shift))
                wins = _is_greater(y, best)
                best, code = _choose(wins, y, best), _choose(wins, _whole(2), code)
                y = _rectify(_multiply_add(_load(x, below + channels + c), slope, shift))
                wins = _is_greater(y, best)
                best, code = _choose(wins, y, best), _choose(wins, _whole(3), code)
                _store(top, pooled + c, best)
                _store(codes, pooled + c, _choose(_is_zero(best), _whole(4), code))


@compiled
def unpool(
    x: Any,
    channels: int,
    width: int,
    a: Any,
    b: Any,
    rectified: bool,
    codes: Any,
    top: Any,
    start: int,
    stop: int,
) -> None:
    """Write y to the pixel of its window that the code gives, and 0 to the other three."""
    for row in range(start, stop):
        for column in range(width):
            pooled = (row * width + column) * channels
            first = (4 * row * width + 2 * column) * channels
            below = first + 2 * width * channels
            for c in range(0, channels, 16):
                y = _multiply_add(_load(x, pooled + c), _load(a, c), _load(b, c))
                if rectified:
                    y = _rectify(y)
                code = _both(_load(codes, pooled + c), _whole(3))
                _store(top, first + c, _choose(_equals(code, _whole(0)), y, _zeros()))
                _store(top, first + channels + c, _choose(_equals(code, _whole(1)), y, _zeros()))
                _store(top, below + c, _choose(_equals(code, _whole(2)), y, _zeros()))
                _store(top, below + channels + c, _choose(_equals(code, _whole(3)), y, _zeros()))


@compiled
def gradient_sums(
    x: Any,
    channels: int,
    gradient: Any,
    a: Any,
    b: Any,
    rectified: bool,
    sums: Any,
    start: int,
    stop: int,
) -> None:
    """Write, of each piece, the sums of y's gradient, and of it times x."""
    for piece in range(start, stop):
        first = piece * PIECE * channels
        last = min(first + PIECE * channels, len(x))
        for c in range(0, channels, 16):
            slope, shift = _load(a, c), _load(b, c)
            total = _widen(_zeros())
            products = total
            for at in range(first + c, last, channels):
                value, to_y = _load(x, at), _load(gradient, at)
                if rectified:
                    y = _multiply_add(value, slope, shift)
                    to_y = _choose(_is_positive(y), to_y, _zeros())
                total = _add(total, _widen(to_y))
                products = _multiply_add(_widen(to_y), _widen(value), products)
            _store(sums, 2 * piece * channels + c, total)
            _store(sums, (2 * piece + 1) * channels + c, products)


@compiled
def to_bottom(
    x: Any,
    channels: int,
    gradient: Any,
    a: Any,
    b: Any,
    rectified: bool,
    per_x: Any,
    constant: Any,
    per_gradient: Any,
    to_x: Any,
    start: int,
    stop: int,
) -> None:
    """Write per_x * x + constant + per_gradient * y's gradient; `to_x` may be `gradient`."""
    last = min(stop * PIECE * channels, len(x))
    for first in range(start * PIECE * channels, last, channels):
        for c in range(0, channels, 16):
            value, to_y = _load(x, first + c), _load(gradient, first + c)
            if rectified:
                y = _multiply_add(value, _load(a, c), _load(b, c))
                to_y = _choose(_is_positive(y), to_y, _zeros())
            made = _multiply_add(value, _load(per_x, c), _load(constant, c))
            _store(to_x, first + c, _multiply_add(to_y, _load(per_gradient, c), made))


@compiled
def pooled_sums(
    x: Any,
    channels: int,
    width: int,
    gradient: Any,
    codes: Any,
    sums: Any,
    start: int,
    stop: int,
) -> None:
    """As `gradient_sums`, of each row, where `gradient` is that of what `pool` wrote."""
    for row in range(start, stop):
        for c in range(0, channels, 16):
            total = _widen(_zeros())
            products = total
            for column in range(width):
                pooled = (row * width + column) * channels + c
                first = (4 * row * width + 2 * column) * channels + c
                below = first + 2 * width * channels
                code = _load(codes, pooled)
                value = _load(x, first)
                value = _choose(_equals(code, _whole(1)), _load(x, first + channels), value)
                value = _choose(_equals(code, _whole(2)), _load(x, below), value)
                value = _choose(_equals(code, _whole(3)), _load(x, below + channels), value)
                to_y = _choose(_equals(code, _whole(4)), _zeros(), _load(gradient, pooled))
                total = _add(total, _widen(to_y))
                products = _multiply_add(_widen(to_y), _widen(value), products)
            _store(sums, 2 * row * channels + c, total)
            _store(sums, (2 * row + 1) * channels + c, products)


@compiled
def pooled_to_bottom(
    x: Any,
    channels: int,
    width: int,
    gradient: Any,
    codes: Any,
    per_x: Any,
    constant: Any,
    per_gradient: Any,
    to_x: Any,
    start: int,
    stop: int,
) -> None:
    """As `to_bottom`, of each row, where `gradient` is that of what `pool` wrote."""
    for row in range(start, stop):
        for column in range(width):
            pooled = (row * width + column) * channels
            first = (4 * row * width + 2 * column) * channels
            below = first + 2 * width * channels
            for c in range(0, channels, 16):
                slope, shift, scale = _load(per_x, c), _load(constant, c), _load(per_gradient, c)
                code, to_y = _load(codes, pooled + c), _load(gradient, pooled + c)
                made = _multiply_add(_load(x, first + c), slope, shift)
                here = _choose(_equals(code, _whole(0)), to_y, _zeros())
                _store(to_x, first + c, _multiply_add(here, scale, made))
                made = _multiply_add(_load(x, first + channels + c), slope, shift)
                here = _choose(_equals(code, _whole(1)), to_y, _zeros())
                _store(to_x, first + channels + c, _multiply_add(here, scale, made))
                made = _multiply_add(_load(x, below + c), slope, shift)
                here = _choose(_equals(code, _whole(2)), to_y, _zeros())
                _store(to_x, below + c, _multiply_add(here, scale, made))
                made = _multiply_add(_load(x, below + channels + c), slope, shift)
                here = _choose(_equals(code, _whole(3)), to_y, _zeros())
                _store(to_x, below + channels + c, _multiply_add(here, scale, made))


@compiled
def pick(
    gradient: Any, channels: int, width: int, codes: Any, picked: Any, start: int, stop: int
) -> None:
    """Write the gradient of what `unpool` took, from the gradient of what it wrote."""
    for row in range(start, stop):
        for column in range(width):
            pooled = (row * width + column) * channels
            first = (4 * row * width + 2 * column) * channels
            below = first + 2 * width * channels
            for c in range(0, channels, 16):
                code = _both(_load(codes, pooled + c), _whole(3))
                found = _load(gradient, first + c)
                right = _load(gradient, first + channels + c)
                found = _choose(_equals(code, _whole(1)), right, found)
                found = _choose(_equals(code, _whole(2)), _load(gradient, below + c), found)
                right = _load(gradient, below + channels + c)
                found = _choose(_equals(code, _whole(3)), right, found)
                _store(picked, pooled + c, found)
