"""Convolutions of 3x3 with stride 1 by Winograd's way for tiles of 2x2: their compiled loops.

A tile of 4x4 pixels d, two pixels from the next, and a kernel g give a tile of 2x2 pixels

    y = A' ((G g G') * (B' d B)) A

where * is element by element, so that 16 products of matrices (tiles x channels) do what takes 36
multiplications per pixel of a tile otherwise. The gradient of g is G' ((A dy A') * (B' d B)) G,
added up over all tiles. A, B and G are for correlation, as convolutions in Caffe are.

Blobs are channels-last, 1-d, of float32, with an even number of rows and columns; channels are
multiples of 32. A part is a row of tiles of one image, or a piece
of all rows. Numbers of a tile do
not depend on the parts.

References
----------
Lavin and Gray, Fast algorithms for convolutional neural networks, 2016 (arXiv:1509.09308).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gcnet_caffe.engine.loops import compiled
from gcnet_caffe.engine.vectors import address, broadcast, fused, loaded, vector_of

#: How many rows and vectors of a product are computed at a time: they stay in registers.
_ROWS, _VECTORS = 8, 2
#: How many tiles are multiplied by the same weights, at least, and added to the same gradients.
_TOGETHER, _ADDED = 16, 64

_VECTOR = vector_of(ir.FloatType())
_N: Any = types.intp


def _constant(number: int) -> Any:
    return ir.Constant(ir.IntType(64), number)


def _at(builder: Any, first: Any, *steps: tuple[Any, int]) -> Any:
    """Return the index `first`, and of each step so many."""
    for step, count in steps:
        first = builder.add(first, builder.mul(step, _constant(count)))
    return first


@intrinsic
def _load_tile(
    _typing: Any,
    x: Any,
    place: Any,
    across: Any,
    row: Any,
    height: Any,
    column: Any,
    width: Any,
    v: Any,
    at: Any,
    plane: Any,
) -> Any:
    """Write B' d B of 16 channels of a tile to 16 places of `v`, `plane` apart from `at` on.

    The tile's first pixel is at `row` and `column` of an image, and at `place` in `x`; a pixel is
    `across` numbers. Pixels outside of the image are 0.
    """

    def lower(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        x_, place_, across_, row_, height_, column_, width_, v_, at_, plane_ = values

        def inside(first: Any, size: Any) -> list[Any]:
            moved = [builder.add(first, _constant(number)) for number in range(4)]
            return [builder.icmp_unsigned("<", one, size) for one in moved]

        rows, columns = inside(row_, height_), inside(column_, width_)
        down, nothing = builder.mul(across_, width_), ir.Constant(_VECTOR, None)

        def pixel(r: int, c: int) -> Any:
            there = builder.and_(rows[r], columns[c])
            index = _at(builder, place_, (down, r), (across_, c))
            index = builder.select(there, index, _constant(0))  # of a number that is not used
            return builder.select(there, loaded(context, builder, x_, x, index), nothing)

        def turned(d: list[Any]) -> list[Any]:
            return [
                builder.fsub(d[0], d[2]),
                builder.fadd(d[1], d[2]),
                builder.fsub(d[2], d[1]),
                builder.fsub(d[1], d[3]),
            ]

        made = _both_ways(turned, [[pixel(r, c) for c in range(4)] for r in range(4)])
        _store_planes(context, builder, made, v_, v, at_, plane_)
        return context.get_dummy_value()

    return types.void(x, _N, _N, _N, _N, _N, _N, v, _N, _N), lower


def _both_ways(once: Any, tile: list[list[Any]]) -> list[list[Any]]:
    """Return `once` of each column of a tile, and then of each row."""
    columns = [once(list(column)) for column in zip(*tile)]
    return [once(list(row)) for row in zip(*columns)]


def _store_planes(
    context: Any, builder: Any, made: list[list[Any]], v_: Any, v: Any, at: Any, plane: Any
) -> None:
    for number, vector in enumerate(vector for row in made for vector in row):
        place = _at(builder, at, (plane, number))
        builder.store(vector, address(context, builder, v_, v, place), align=4)


@intrinsic
def _load_gradient(
    _typing: Any, y: Any, place: Any, across: Any, width: Any, v: Any, at: Any, plane: Any
) -> Any:
    """Write A dy A' of 16 channels of a tile, as `_load_tile` does; all pixels are inside."""

    def lower(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        y_, place_, across_, width_, v_, at_, plane_ = values
        down = builder.mul(across_, width_)

        def pixel(r: int, c: int) -> Any:
            index = _at(builder, place_, (down, r), (across_, c))
            return loaded(context, builder, y_, y, index)

        def turned(d: list[Any]) -> list[Any]:
            zero = ir.Constant(_VECTOR, None)
            return [d[0], builder.fadd(*d), builder.fsub(*d), builder.fsub(zero, d[1])]

        made = _both_ways(turned, [[pixel(r, c) for c in range(2)] for r in range(2)])
        _store_planes(context, builder, made, v_, v, at_, plane_)
        return context.get_dummy_value()

    return types.void(y, _N, _N, _N, v, _N, _N), lower


@intrinsic
def _store_tile(
    _typing: Any, m: Any, at: Any, plane: Any, y: Any, place: Any, across: Any, width: Any
) -> Any:
    """Write A' m A of 16 channels of a tile, where m are 16 places of `m`, to four pixels of y."""

    def lower(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        m_, at_, plane_, y_, place_, across_, width_ = values
        down = builder.mul(across_, width_)

        def part(r: int, c: int) -> Any:
            return loaded(context, builder, m_, m, _at(builder, at_, (plane_, 4 * r + c)))

        def turned(d: list[Any]) -> list[Any]:
            above = builder.fadd(builder.fadd(d[0], d[1]), d[2])
            return [above, builder.fsub(builder.fsub(d[1], d[2]), d[3])]

        made = _both_ways(turned, [[part(r, c) for c in range(4)] for r in range(4)])
        for r in range(2):
            for c in range(2):
                index = _at(builder, place_, (down, r), (across_, c))
                builder.store(made[r][c], address(context, builder, y_, y, index), align=4)
        return context.get_dummy_value()

    return types.void(m, _N, _N, y, _N, _N, _N), lower


@intrinsic
def _multiply(
    _typing: Any,
    a: Any,
    a_at: Any,
    a_row: Any,
    a_step: Any,
    b: Any,
    b_at: Any,
    b_step: Any,
    count: Any,
    c: Any,
    c_at: Any,
    c_row: Any,
) -> Any:
    """Add the product of a (8 x count) and b (count x 32) to c (8 x 32).

    Each is a part of a 1-d array of float32 from its `at` on: rows are `row` apart, and what is
    multiplied together is `step` apart.
    """

    def lower(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        a_, a_at_, a_row_, a_step_, b_, b_at_, b_step_, count_, c_, c_at_, c_row_ = values
        data = context.make_array(a)(context, builder, a_).data
        before = builder.basic_block
        loop, after = (builder.append_basic_block(name) for name in ("multiply", "multiplied"))

        def places() -> list[Any]:
            return [
                _at(builder, c_at_, (c_row_, row), (_constant(16), number))
                for row in range(_ROWS)
                for number in range(_VECTORS)
            ]

        so_far = [loaded(context, builder, c_, c, place) for place in places()]
        builder.branch(loop)
        builder.position_at_end(loop)
        number, a_index, b_index = (builder.phi(ir.IntType(64)) for _ in range(3))
        sums = [builder.phi(_VECTOR) for _ in so_far]
        right = [
            loaded(context, builder, b_, b, _at(builder, b_index, (_constant(16), one)))
            for one in range(_VECTORS)
        ]
        made = []
        for row in range(_ROWS):
            left = broadcast(builder, builder.gep(data, [_at(builder, a_index, (a_row_, row))]))
            for one in range(_VECTORS):
                made.append(fused(builder, left, right[one], sums[row * _VECTORS + one]))
        pairs = [
            (number, _constant(0), builder.add(number, _constant(1))),
            (a_index, a_at_, builder.add(a_index, a_step_)),
            (b_index, b_at_, builder.add(b_index, b_step_)),
            *zip(sums, so_far, made),
        ]
        for phi, first, following in pairs:
            phi.add_incoming(first, before)
            phi.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", pairs[0][2], count_), loop, after)
        builder.position_at_end(after)
        for vector, place in zip(made, places()):
            builder.store(vector, address(context, builder, c_, c, place), align=4)
        return context.get_dummy_value()

    return types.void(a, _N, _N, _N, b, _N, _N, _N, c, _N, _N), lower


# names that compiled code knows
_tile: Any = _load_tile
_gradient: Any = _load_gradient
_made: Any = _store_tile
_product: Any = _multiply


@compiled
def _load_rows(
    x: Any,
    height: int,
    width: int,
    channels: int,
    pad: int,
    rows: int,
    columns: int,
    first: int,
    last: int,
    v: Any,
    plane: int,
) -> None:
    """Write B' d B of the rows of tiles from `first` to `last`; an image has rows x columns."""
    for row in range(first, last):
        top = 2 * (row % rows) - pad
        for column in range(columns):
            left = 2 * column - pad
            place = ((row // rows * height + top) * width + left) * channels
            at = ((row - first) * columns + column) * channels
            for c in range(0, channels, 16):
                _tile(x, place + c, channels, top, height, left, width, v, at + c, plane)


@compiled
def convolve(
    x: Any,
    height: int,
    width: int,
    channels: int,
    pad: int,
    weights: Any,
    outputs: int,
    y: Any,
    start: int,
    stop: int,
) -> None:
    """Write the rows of tiles of the correlation y of x; `weights` are 16 x channels x outputs."""
    rows, columns = height // 2 + pad - 1, width // 2 + pad - 1
    together = -(-_TOGETHER // columns)
    most = (together * columns + 7) // 8 * 8
    v = np.zeros(16 * most * channels, np.float32)
    m = np.empty(16 * most * outputs, np.float32)
    for first in range(start, stop, together):
        last = min(first + together, stop)
        _load_rows(x, height, width, channels, pad, rows, columns, first, last, v, most * channels)
        m[:] = 0
        for part in range(16):
            for output in range(0, outputs, 32):
                for tile in range(0, (last - first) * columns, 8):
                    left, made = (part * most + tile) * channels, (part * most + tile) * outputs
                    right = part * channels * outputs + output
                    _product(
                        v,
                        left,
                        channels,
                        1,
                        weights,
                        right,
                        outputs,
                        channels,
                        m,
                        made + output,
                        outputs,
                    )
        for row in range(first, last):
            for column in range(columns):
                place = (4 * row * columns + 2 * column) * outputs
                at = ((row - first) * columns + column) * outputs
                for c in range(0, outputs, 16):
                    _made(m, at + c, most * outputs, y, place + c, outputs, 2 * columns)


@compiled
def weight_gradients(
    x: Any,
    height: int,
    width: int,
    channels: int,
    pad: int,
    gradient: Any,
    outputs: int,
    pieces: int,
    sums: Any,
    start: int,
    stop: int,
) -> None:
    """Write the sums of (B' d B) (A dy A') over the tiles of each piece of all rows.

    `sums` are pieces x 16 x channels x outputs.
    """
    rows, columns = height // 2 + pad - 1, width // 2 + pad - 1
    together = -(-_ADDED // columns)
    most = together * columns
    v = np.empty(16 * most * channels, np.float32)
    d = np.empty(16 * most * outputs, np.float32)
    size, all_rows = 16 * channels * outputs, len(x) // (channels * width * height) * rows
    for piece in range(start, stop):
        sums[piece * size : (piece + 1) * size] = 0
        end = all_rows * (piece + 1) // pieces
        for first in range(all_rows * piece // pieces, end, together):
            last = min(first + together, end)
            _load_rows(
                x, height, width, channels, pad, rows, columns, first, last, v, most * channels
            )
            for row in range(first, last):
                for column in range(columns):
                    place = (4 * row * columns + 2 * column) * outputs
                    at = ((row - first) * columns + column) * outputs
                    for c in range(0, outputs, 16):
                        _gradient(
                            gradient, place + c, outputs, 2 * columns, d, at + c, most * outputs
                        )
            count = (last - first) * columns
            for part in range(16):
                left, right = part * most * channels, part * most * outputs
                for channel in range(0, channels, 8):
                    made = piece * size + (part * channels + channel) * outputs
                    for output in range(0, outputs, 32):
                        _product(
                            v,
                            left + channel,
                            1,
                            channels,
                            d,
                            right + output,
                            outputs,
                            count,
                            sums,
                            made + output,
                            outputs,
                        )
