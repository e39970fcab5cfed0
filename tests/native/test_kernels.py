"""The plug-in's arithmetic alone: native/kernels.hpp compiled by itself, against numpy."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.native import reference
from tests.native.reference import GEOMETRIES

NATIVE = Path(__file__).resolve().parents[2] / "native"


class Pooling(ctypes.Structure):
    """gcnet::Pooling."""

    _fields_ = [
        (name, ctypes.c_int)
        for name in (
            "kernel_h kernel_w stride_h stride_w pad_h pad_w height width "
            "pooled_height pooled_width"
        ).split()
    ]


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    library = tmp_path_factory.mktemp("kernels") / "kernels.so"
    source = Path(__file__).with_name("kernels_alone.cpp")
    subprocess.run(
        [*"g++ -std=c++11 -O2 -Wall -Wextra -Wpedantic -Werror -shared -fPIC".split()]
        + [f"-I{NATIVE}", source, "-o", library],
        check=True,
    )
    return ctypes.CDLL(str(library))


@pytest.fixture(params=["float", "double"])
def call(kernels, request):
    """Call a function of that type; arrays are passed by address."""
    dtype = np.dtype({"float": np.float32, "double": np.float64}[request.param])

    def call(name, *args):
        for array in args:
            assert not isinstance(array, np.ndarray) or array.dtype == dtype
        args = [a.ctypes.data_as(ctypes.c_void_p) if isinstance(a, np.ndarray) else a for a in args]
        return getattr(kernels, f"{name}_{request.param}")(*args)

    call.dtype = dtype
    return call


def pooled(geometry, dtype, seed=0):
    """Random planes with ties, as after a ReLU, and their pooling."""
    kernel, stride, pad, full = GEOMETRIES[geometry]
    x = np.maximum(np.random.default_rng(seed).normal(size=(2, 3, *full)), 0).astype(dtype)
    values, mask = reference.max_pool(x, kernel, stride, pad)
    return values, mask, Pooling(*kernel, *stride, *pad, *full, *values.shape[2:])


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_unpooling_equals_a_plain_loop(call, geometry):
    values, mask, p = pooled(geometry, call.dtype)
    values[...] = np.random.default_rng(1).normal(size=values.shape)  # another than was pooled
    out = np.full((2, 3, p.height, p.width), np.nan, call.dtype)
    assert call("first_misfit", ctypes.byref(p), 6, mask) == -1
    call("unpool", ctypes.byref(p), 6, values, mask, out)
    expected = reference.max_unpool(values, mask, p.height, p.width)
    np.testing.assert_allclose(out, expected, rtol=0, atol=4 * np.finfo(call.dtype).eps)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_unpooling_backward_is_its_transpose(call, geometry):
    values, mask, p = pooled(geometry, call.dtype)
    upstream = np.random.default_rng(2).normal(size=(2, 3, p.height, p.width)).astype(call.dtype)
    diff = np.full_like(values, np.nan)
    call("unpool_backward", ctypes.byref(p), 6, upstream, mask, diff)
    flat = upstream.reshape(6, -1)
    expected = np.take_along_axis(flat, mask.reshape(6, -1).astype(int), 1).reshape(diff.shape)
    np.testing.assert_array_equal(diff, expected)


@pytest.mark.parametrize("entry", [-1, 48, 2, 8, 16, 0.5, 1e20, np.nan])
def test_a_mask_entry_outside_its_window_is_found(call, entry):
    _, mask, p = pooled("even", call.dtype)
    mask[1, 0, 0, 0] = entry  # of the window with the pixels 0, 1, 8 and 9
    expected = -1 if entry == 8 else 3 * 12
    assert call("first_misfit", ctypes.byref(p), 6, mask) == expected


@pytest.mark.parametrize("width", [3, 5, 7, 63])
def test_a_mask_of_an_odd_width_does_not_fit_the_even_one(call, width):
    x = np.zeros((1, 1, 3, width), call.dtype)  # all equal: the first pixel of every window
    _, mask = reference.max_pool(x, (2, 2), (2, 2), (0, 0))
    p = Pooling(2, 2, 2, 2, 0, 0, 4, width + 1, *mask.shape[2:])
    assert call("first_misfit", ctypes.byref(p), 1, mask) >= 0


def test_sizes(kernels):
    """The pooled size is Caffe's; the unpooled one is the largest that gives it."""
    for kernel in (1, 2, 3, 5):
        for stride in (1, 2, 3):
            for pad in range(kernel):
                sizes = {}
                for full in range(1, 30):
                    pooled = kernels.pooled_size(full, kernel, stride, pad)
                    expected = reference.pooled_size(full, kernel, stride, pad)
                    assert pooled == expected, (full, kernel, stride, pad)
                    sizes[pooled] = full
                for pooled in list(sizes)[1:-1]:
                    full = kernels.unpooled_size(pooled, kernel, stride, pad)
                    assert kernels.pooled_size(full, kernel, stride, pad) == pooled
                    assert pad or full == sizes[pooled]


def distance(call, a, b):
    inverse_a, inverse_b = np.empty((2, len(a)), call.dtype)
    y = np.full_like(a, np.nan)
    call("distance", *a.shape, a, b, inverse_a, inverse_b, y)
    return inverse_a, inverse_b, y


@pytest.mark.parametrize("length", [1, 7, 6144])
def test_distance_equals_numpy(call, length):
    rng = np.random.default_rng(3)
    a, b, dy = rng.normal(size=(3, 5, length)).astype(call.dtype)
    inverse_a, inverse_b, y = distance(call, a, b)
    eps = np.finfo(call.dtype).eps
    np.testing.assert_allclose(y, reference.normalized_distance(a, b), rtol=0, atol=4 * eps)
    da, db = np.full_like([a, b], np.nan)
    call("distance_backward", *a.shape, a, b, inverse_a, inverse_b, dy, da, db)
    small = slice(0, 1 if length > 1000 else 5)  # the reference builds length x length matrices
    wanted = reference.normalized_distance_gradient(
        *(x[small].astype(np.float64) for x in (a, b, dy))
    )
    for found, expected in zip((da, db), wanted):
        scale = np.abs(expected).max() + 1
        np.testing.assert_allclose(found[small], expected, rtol=0, atol=8 * eps * scale)


def test_distance_of_zero_and_equal_vectors(call):
    rng = np.random.default_rng(4)
    a = rng.normal(size=(4, 9)).astype(call.dtype)
    b = a.copy()  # row 3: equal
    a[0] = 0
    b[1] = 0
    a[2] = b[2] = 0
    inverse_a, inverse_b, y = distance(call, a, b)
    da, db = np.full_like([a, b], np.nan)
    call("distance_backward", *a.shape, a, b, inverse_a, inverse_b, np.ones_like(a), da, db)
    assert np.isfinite([y, da, db]).all()
    assert np.abs([da, db]).max() <= 1e3 * (1 + 4 * np.finfo(call.dtype).eps)
    assert np.abs(da[0]).min() > 900  # the bound is reached: the gradient is there, not cut off
    assert not np.any([da[2:], db[2:]])  # the sub-gradient 0 where both are equal
