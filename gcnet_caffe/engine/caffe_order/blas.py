"""Caffe's calls of BLAS and of the C library; BLAS is scipy's OpenBLAS.

Source: Caffe src/caffe/util/math_functions.cpp, include/caffe/util/mkl_alternate.hpp. All arrays
are C-contiguous float32.

OpenBLAS adds up in the order of the kernels that it chooses for the processor, or that
OPENBLAS_CORETYPE gives when it is loaded. Each version chooses differently, so the kernels are
chosen here: Sandybridge, which run on any processor with AVX and have no fused multiply-add. Where
a compiler puts that (in other kernels: the remainders of 4 or 32) decides how numbers are rounded.
"""

from __future__ import annotations

import ctypes
import itertools
import os
from collections.abc import Callable, Iterable
from typing import Union

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.options import KERNELS
from gcnet_caffe.errors import UsageError

if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
    os.environ.setdefault("OPENBLAS_CORETYPE", KERNELS)

from scipy.linalg import _fblas, blas  # noqa: E402

Array = NDArray[np.float32]
_Number = Union[float, np.float32]
_Numbers = Union[Array, np.float32]

_LIBM = ctypes.CDLL(None)
for _name, _count in (("expf", 1), ("logf", 1), ("powf", 2), ("tanhf", 1)):
    getattr(_LIBM, _name).restype = ctypes.c_float
    getattr(_LIBM, _name).argtypes = [ctypes.c_float] * _count


def use_one_thread() -> str:
    """Have OpenBLAS compute in one thread; return the name of its kernels.

    Raises
    ------
    UsageError
        scipy has another BLAS.
    """
    library = ctypes.CDLL(_fblas.__file__)
    for prefix in ("scipy_openblas", "openblas"):
        name = getattr(library, f"{prefix}_get_corename", None)
        if name is not None:
            name.restype = ctypes.c_char_p
            getattr(library, f"{prefix}_set_num_threads")(1)
            found: bytes = name()
            return found.decode()
    raise UsageError("--summation caffe: wanted a scipy with OpenBLAS, such as pip installs")


def gemm(trans_a: bool, trans_b: bool, a: Array, b: Array, out: Array, beta: float = 0.0) -> Array:
    """out = op(a) op(b) + beta out; op transposes if `trans_a`, `trans_b`. Returns `out`."""
    # row by row, as C stores it, is the transposed product column by column, as Fortran does
    blas.sgemm(1.0, b.T, a.T, beta, out.T, trans_b, trans_a, overwrite_c=1)
    return out


def row_sums(matrix: Array, alpha: float = 1.0, out: Array | None = None) -> Array:
    """Return alpha times the sum of each row, added to `out` if it is given."""
    ones = np.ones(matrix.shape[1], np.float32)
    return _gemv(alpha, matrix, ones, out, trans=1)


def column_sums(matrix: Array, out: Array | None = None) -> Array:
    """Return the sum of each column, added to `out` if it is given."""
    return _gemv(1.0, matrix, np.ones(len(matrix), np.float32), out, trans=0)


def _gemv(alpha: float, matrix: Array, ones: Array, out: Array | None, trans: int) -> Array:
    if out is None:
        sums: Array = blas.sgemv(alpha, matrix.T, ones, trans=trans)
        return sums
    blas.sgemv(alpha, matrix.T, ones, 1.0, out, trans=trans, overwrite_y=1)
    return out


def dot(a: Array, b: Array) -> np.float32:
    """Return the sum of a b, of arrays of one shape."""
    return np.float32(blas.sdot(a.reshape(-1), b.reshape(-1)))


def axpby(alpha: _Number, x: Array, beta: _Number, y: Array) -> Array:
    """y = alpha x + beta y, in place; returns `y`."""
    y *= np.float32(beta)
    y += np.float32(alpha) * x
    return y


def exp(x: _Numbers) -> Array:
    """Return the C library's expf of each element."""
    return _each(_LIBM.expf, x)


def log(x: _Numbers) -> Array:
    """Return the C library's logf of each element."""
    return _each(_LIBM.logf, x)


def tanh(x: Array) -> Array:
    """Return the C library's tanhf of each element."""
    return _each(_LIBM.tanhf, x)


def power(x: _Numbers, exponent: _Number) -> Array:
    """Return the C library's powf of each element."""
    return _each(_LIBM.powf, x, itertools.repeat(float(exponent)))


def _each(function: Callable[..., float], x: _Numbers, *further: Iterable[float]) -> Array:
    values = map(function, x.reshape(-1).tolist(), *further)
    return np.fromiter(values, np.float32, x.size).reshape(x.shape)
