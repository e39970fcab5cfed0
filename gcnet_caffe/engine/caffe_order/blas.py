"""Caffe's calls of BLAS and of the C library; BLAS is scipy's OpenBLAS.

Source: Caffe src/caffe/util/math_functions.cpp, include/caffe/util/mkl_alternate.hpp. All arrays
are C-contiguous float32. Parts of a matrix product, of the rows of a sum, and of a loop are those
of the whole, number for number (with kernels of Sandybridge), so that threads may share them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine.caffe_order import compiled as c
from gcnet_caffe.engine.loops import compiled, share

Array = NDArray[np.float32]
Number = Union[float, np.float32]
_Numbers = Union[Array, np.float32]

#: Rows that sgemv sums together: parts of a matrix begin at multiples of it.
ROWS = 4

# names that compiled code knows
_expf, _logf, _powf, _tanhf = c.expf, c.logf, c.powf, c.tanhf
_exp_of_double, _log_of_double, _tanh_of_double = c.exp, c.log, c.tanh
_sgemm, _sgemv, _sdot, _sasum = c.sgemm, c.sgemv, c.sdot, c.sasum
_ROW_MAJOR, _AS_IT_IS, _TRANSPOSED = 101, 111, 112


@compiled
def product(
    trans_a: bool,
    trans_b: bool,
    m: int,
    n: int,
    k: int,
    a: Array,
    lda: int,
    b: Array,
    ldb: int,
    beta: Number,
    out: Array,
    ldo: int,
) -> None:
    """out = op(a) op(b) + beta out, of flat arrays; op transposes if `trans_a`, `trans_b`.

    Parameters
    ----------
    m, n, k : int
        out is m x n, op(a) m x k, op(b) k x n.
    lda, ldb, ldo : int
        How far apart the rows of a, b and out begin.
    """
    _sgemm(
        _ROW_MAJOR,
        _TRANSPOSED if trans_a else _AS_IT_IS,
        _TRANSPOSED if trans_b else _AS_IT_IS,
        m,
        n,
        k,
        1.0,
        a.ctypes,
        lda,
        b.ctypes,
        ldb,
        beta,
        out.ctypes,
        ldo,
    )


@compiled
def _rows_of_product(
    trans_a: bool,
    trans_b: bool,
    a: Array,
    b: Array,
    beta: Number,
    out: Array,
    n: int,
    k: int,
    start: int,
    stop: int,
) -> None:
    m = len(out) // n
    part = a[start if trans_a else start * k :]
    lda, ldb = m if trans_a else k, k if trans_b else n
    product(trans_a, trans_b, stop - start, n, k, part, lda, b, ldb, beta, out[start * n :], n)


@compiled
def _columns_of_product(
    trans_a: bool,
    trans_b: bool,
    a: Array,
    b: Array,
    beta: Number,
    out: Array,
    n: int,
    k: int,
    start: int,
    stop: int,
) -> None:
    m = len(out) // n
    part = b[start * k if trans_b else start :]
    lda, ldb = m if trans_a else k, k if trans_b else n
    product(trans_a, trans_b, m, stop - start, k, a, lda, part, ldb, beta, out[start:], n)


def gemm(trans_a: bool, trans_b: bool, a: Array, b: Array, out: Array, beta: float = 0.0) -> Array:
    """out = op(a) op(b) + beta out; op transposes if `trans_a`, `trans_b`. Returns `out`."""
    (m, n), k = out.shape, a.shape[0 if trans_a else 1]
    flat = (trans_a, trans_b, a.reshape(-1), b.reshape(-1), np.float32(beta), out.reshape(-1), n, k)
    if m > n:
        share(_rows_of_product, m, n * k, *flat)
    else:
        share(_columns_of_product, n, m * k, *flat)
    return out


@compiled
def sums(
    transposed: bool, m: int, n: int, alpha: Number, a: Array, ones: Array, beta: Number, out: Array
) -> None:
    """out = alpha op(a) ones + beta out, of a flat m x n matrix."""
    trans = _TRANSPOSED if transposed else _AS_IT_IS
    _sgemv(_ROW_MAJOR, trans, m, n, alpha, a.ctypes, n, ones.ctypes, 1, beta, out.ctypes, 1)


@compiled
def _some_row_sums(
    n: int, alpha: Number, a: Array, ones: Array, beta: Number, out: Array, start: int, stop: int
) -> None:
    sums(False, stop - start, n, alpha, a[start * n :], ones, beta, out[start:])


def row_sums(matrix: Array, alpha: float = 1.0, out: Array | None = None) -> Array:
    """Return alpha times the sum of each row, added to `out` if it is given."""
    m, n = matrix.shape
    beta, out = (0, np.zeros(m, np.float32)) if out is None else (1, out)
    numbers = (n, np.float32(alpha), matrix.reshape(-1), np.ones(n, np.float32), np.float32(beta))
    share(_some_row_sums, m, n, *numbers, out, step=ROWS)
    return out


def column_sums(matrix: Array, out: Array | None = None) -> Array:
    """Return the sum of each column, added to `out` if it is given."""
    m, n = matrix.shape
    beta, out = (0, np.zeros(n, np.float32)) if out is None else (1, out)
    one, ones = np.float32(1), np.ones(m, np.float32)
    sums(True, m, n, one, matrix.reshape(-1), ones, np.float32(beta), out)
    return out


@compiled
def _channel_sums(x: Array, channels: int, inner: int, out: Array, start: int, stop: int) -> None:
    ones, none = np.ones(channels, np.float32), np.float32(0)
    for image in range(start, stop):
        part, found = x[image * channels * inner :], out[image * inner :]
        sums(True, channels, inner, np.float32(1), part, ones, none, found)


def channel_sums(x: Array) -> Array:
    """Return the sums over the second of three axes, image by image."""
    outer, channels, inner = x.shape
    out = np.zeros(outer * inner, np.float32)
    share(_channel_sums, outer, channels * inner, x.reshape(-1), channels, inner, out)
    return out.reshape(outer, inner)


@compiled
def _dot(a: Array, step: int, b: Array, count: int) -> np.float32:
    found: np.float32 = _sdot(count, a.ctypes, step, b.ctypes, step)
    return found


def dot(a: Array, b: Array) -> np.float32:
    """Return the sum of a b, of arrays of one shape."""
    return np.float32(_dot(a.reshape(-1), 1, b.reshape(-1), a.size))


@compiled
def _column_dots(a: Array, b: Array, channels: int, inner: int, out: Array) -> None:
    for place in range(len(out)):
        start = place // inner * channels * inner + place % inner
        out[place] = _dot(a[start:], inner, b[start:], channels)


def column_dots(a: Array, b: Array) -> Array:
    """Return the sums of a b over the second of three axes."""
    outer, channels, inner = a.shape
    out = np.empty(outer * inner, np.float32)
    _column_dots(a.reshape(-1), b.reshape(-1), channels, inner, out)
    return out.reshape(outer, inner)


@compiled
def _absolute_sum(x: Array) -> np.float32:
    found: np.float32 = _sasum(len(x), x.ctypes, 1)
    return found


def absolute_sum(x: Array) -> np.float32:
    """Return the sum of |x|."""
    return np.float32(_absolute_sum(x.reshape(-1)))


def axpby(alpha: Number, x: Array, beta: Number, y: Array) -> Array:
    """y = alpha x + beta y, in place; returns `y`."""
    y *= np.float32(beta)
    y += np.float32(alpha) * x
    return y


@compiled
def _exp(x: Array, out: Array, start: int, stop: int) -> None:
    for index in range(start, stop):
        out[index] = _expf(x[index])


@compiled
def _log(x: Array, out: Array, start: int, stop: int) -> None:
    for index in range(start, stop):
        out[index] = _logf(x[index])


@compiled
def _hyperbolic(x: Array, out: Array, start: int, stop: int) -> None:
    for index in range(start, stop):
        out[index] = _tanhf(x[index])


@compiled
def _logistic(x: Array, out: Array, start: int, stop: int) -> None:
    for index in range(start, stop):
        out[index] = 0.5 * _tanh_of_double(0.5 * x[index]) + 0.5


@compiled
def _gate(x: Array, out: Array, start: int, stop: int) -> None:
    for index in range(start, stop):
        out[index] = 1.0 / (1.0 + _expf(-x[index]))


@compiled
def _squashed(x: Array, out: Array, start: int, stop: int) -> None:
    for index in range(start, stop):
        out[index] = 2.0 * (1.0 / (1.0 + _exp_of_double(-2.0 * x[index]))) - 1.0


@compiled
def _softplus(x: Array, out: Array, start: int, stop: int) -> None:
    for index in range(start, stop):
        top = _log_of_double(1.0 + _expf(-abs(x[index])))
        out[index] = float(x[index]) + top if x[index] > 0 else top


@compiled
def _power(exponent: Number, x: Array, out: Array, start: int, stop: int) -> None:
    for index in range(start, stop):
        out[index] = _powf(x[index], exponent)


def exp(x: _Numbers) -> Array:
    """Return the C library's expf of each element."""
    return _each(_exp, x)


def log(x: _Numbers) -> Array:
    """Return the C library's logf of each element."""
    return _each(_log, x)


def tanh(x: Array) -> Array:
    """Return the C library's tanhf of each element."""
    return _each(_hyperbolic, x)


def sigmoid(x: Array) -> Array:
    """Return Caffe's sigmoid of each element: by tanh, in double precision."""
    return _each(_logistic, x)


def gate(x: Array) -> Array:
    """Return the sigmoid of LSTMUnit of each element: by expf."""
    return _each(_gate, x)


def squashed(x: Array) -> Array:
    """Return the hyperbolic tangent of LSTMUnit of each element: by exp, in double precision."""
    return _each(_squashed, x)


def softplus(x: Array) -> Array:
    """Return log(1 + exp) of each element: by expf, and log in double precision."""
    return _each(_softplus, x)


def power(x: _Numbers, exponent: Number) -> Array:
    """Return the C library's powf of each element."""
    return _each(_power, x, np.float32(exponent))


def _each(function: Callable[..., None], x: _Numbers, *before: Any) -> Array:
    flat = np.ascontiguousarray(x, np.float32).reshape(-1)
    out = np.empty_like(flat)
    share(function, len(flat), 8, *before, flat, out)
    return out.reshape(np.shape(x))
