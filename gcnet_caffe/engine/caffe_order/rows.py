"""Loops over a blob of outer x channels x inner numbers, with one number per channel or row.

Each is one pass over the blob, compiled and shared by threads, or numpy's where there is no Numba.
"""

from __future__ import annotations

import numpy as np

from gcnet_caffe.engine.caffe_order.blas import ROWS, Array, Number, row_sums, sums
from gcnet_caffe.engine.loops import compiled, has_numba, share

#: So many numbers of a product are summed while they are in the cache.
_BLOCK = 1 << 14


def affine(x: Array, factors: Array, shifts: Array | None = None) -> Array:
    """Return x * factors (by channel), rounded, + shifts."""
    if not has_numba():
        top: Array = x * factors[:, None]
        return top if shifts is None else top + shifts[:, None]
    out = np.empty_like(x)
    shared = (x.reshape(-1, x.shape[2]), factors)
    flat = out.reshape(-1, x.shape[2])
    if shifts is None:
        share(_multiplied, len(flat), x.shape[2], *shared, flat)
    else:
        share(_affine, len(flat), x.shape[2], *shared, shifts, flat)
    return out


@compiled
def _multiplied(x: Array, factors: Array, out: Array, start: int, stop: int) -> None:
    for row in range(start, stop):
        factor, given, made = factors[row % len(factors)], x[row], out[row]
        for index in range(len(given)):
            made[index] = given[index] * factor


@compiled
def _affine(x: Array, factors: Array, shifts: Array, out: Array, start: int, stop: int) -> None:
    for row in range(start, stop):
        channel, given, made = row % len(factors), x[row], out[row]
        factor, shift = factors[channel], shifts[channel]
        for index in range(len(given)):
            made[index] = given[index] * factor + shift


def divided(x: Array, divisors: Array) -> Array:
    """Return x / divisors (by channel)."""
    if not has_numba():
        quotient: Array = x / divisors[:, None]
        return quotient
    out = np.empty_like(x)
    flat = x.reshape(-1, x.shape[2]), divisors, out.reshape(-1, x.shape[2])
    share(_divided, len(flat[0]), x.shape[2], *flat)
    return out


@compiled
def _divided(x: Array, divisors: Array, out: Array, start: int, stop: int) -> None:
    for row in range(start, stop):
        divisor, given, made = divisors[row % len(divisors)], x[row], out[row]
        for index in range(len(given)):
            made[index] = given[index] / divisor


def summed_products(a: Array, b: Array, alpha: float = 1.0) -> Array:
    """Return alpha times the sum of a b in each row: of outer x channels."""
    if not has_numba():
        return row_sums((a * b).reshape(-1, a.shape[2]), alpha).reshape(a.shape[:2])
    out = np.zeros(a.shape[:2], np.float32)
    flat = a.reshape(-1, a.shape[2]), b.reshape(-1, a.shape[2]), np.float32(alpha)
    share(_summed_products, out.size, a.shape[2], *flat, out.reshape(-1), step=ROWS)
    return out


@compiled
def _summed_products(a: Array, b: Array, alpha: Number, out: Array, start: int, stop: int) -> None:
    inner = a.shape[1]
    block = max(_BLOCK // inner // ROWS, 1) * ROWS
    products, ones = np.empty(block * inner, np.float32), np.ones(inner, np.float32)
    for first in range(start, stop, block):
        last = min(first + block, stop)
        for row in range(first, last):
            one, other = a[row], b[row]
            made = products[(row - first) * inner : (row - first + 1) * inner]
            for index in range(inner):
                made[index] = one[index] * other[index]
        part = out[first:last]
        sums(False, last - first, inner, alpha, products, ones, np.float32(0), part)


def normalized_back(
    top: Array, gradient: Array, along: Array, total: Array, factor: Number, deviation: Array
) -> Array:
    """Return ((top * along + total) * factor + gradient) / deviation, the 1-d ones by channel."""
    if not has_numba():
        found = (top * along[:, None] + total[:, None]) * factor + gradient
        quotient: Array = found / deviation[:, None]
        return quotient
    out = np.empty_like(top)
    inner = top.shape[2]
    flat = top.reshape(-1, inner), gradient.reshape(-1, inner), along, total, np.float32(factor)
    share(_normalized_back, len(flat[0]), inner, *flat, deviation, out.reshape(-1, inner))
    return out


@compiled
def _normalized_back(
    top: Array,
    gradient: Array,
    along: Array,
    total: Array,
    factor: Number,
    deviation: Array,
    out: Array,
    start: int,
    stop: int,
) -> None:
    for row in range(start, stop):
        channel = row % len(along)
        a, t, d = along[channel], total[channel], deviation[channel]
        one, other, made = top[row], gradient[row], out[row]
        for index in range(len(one)):
            made[index] = ((one[index] * a + t) * factor + other[index]) / d
