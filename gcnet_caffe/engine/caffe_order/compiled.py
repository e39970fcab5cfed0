"""Loops that Numba compiles, the functions of C that they call, and the threads that share them.

Compiled code calls OpenBLAS and the C library by their addresses and does not hold Python's lock,
so that threads compute at the same time. Numba keeps the code beside the sources; it compiles a
function anew when that function's own file has changed. Without Numba the same functions run as
Python, slowly.

OpenBLAS adds up in the order of the kernels that it chooses for the processor, or that
OPENBLAS_CORETYPE gives when it is loaded. Each version chooses differently, so the kernels are
chosen here: Sandybridge, which run on any processor with AVX and have no fused multiply-add. Where
a compiler puts that (in other kernels: the remainders of 4 or 32) decides how numbers are rounded.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import torch

from gcnet_caffe.engine.options import KERNELS
from gcnet_caffe.errors import UsageError

if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
    os.environ.setdefault("OPENBLAS_CORETYPE", KERNELS)

from scipy.linalg import _fblas  # noqa: E402

try:
    import numba
    from llvmlite import binding

    HAS_NUMBA = True
except ImportError:
    HAS_NUMBA = False

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: How many numbers are worth a thread.
_WORTH = 1 << 15


def compiled(function: _Function) -> _Function:
    """Decorator: Numba compiles `function`, which then runs without Python's lock."""
    if not HAS_NUMBA:
        return function
    jit: Any = functools.partial(numba.njit, nogil=True, error_model="numpy")
    try:
        return cast(_Function, jit(cache=True)(function))
    except RuntimeError:  # no folder where the code can be kept
        return cast(_Function, jit()(function))


def share(
    function: Callable[..., object], count: int, size: int, *arguments: Any, step: int = 1
) -> None:
    """Call function(*arguments, start, stop) for parts of range(count), in PyTorch's threads.

    Parameters
    ----------
    function : callable
        `compiled`. Calls for several parts do what one call for all does.
    count, size : int
        How many things there are, and how many numbers are computed for each.
    step : int
        Parts begin at multiples of it.
    """
    steps = -(-count // step)
    wanted = min(torch.get_num_threads(), count * size // _WORTH, steps) if HAS_NUMBA else 1
    threads = max(wanted, 1)
    edges = [min(steps * index // threads * step, count) for index in range(threads + 1)]
    parts = list(zip(edges, edges[1:]))
    others = [_pool(threads - 1).submit(function, *arguments, *part) for part in parts[1:]]
    function(*arguments, *parts[0])
    for other in others:
        other.result()


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers)


def _openblas() -> tuple[ctypes.CDLL, str]:
    """Return scipy's OpenBLAS, and what the names of its functions begin with."""
    library = ctypes.CDLL(_fblas.__file__)
    for prefix in ("scipy_", ""):
        if hasattr(library, f"{prefix}openblas_get_corename"):
            return library, prefix
    raise UsageError("--summation caffe: wanted a scipy with OpenBLAS, such as pip installs")


def use_one_thread() -> str:
    """Have OpenBLAS compute in one thread; return the name of its kernels."""
    library, prefix = _openblas()
    getattr(library, f"{prefix}openblas_set_num_threads")(1)
    name = getattr(library, f"{prefix}openblas_get_corename")
    name.restype = ctypes.c_char_p
    found: bytes = name()
    return found.decode()


def _c_function(name: str, signature: str, blas: bool = False) -> Callable[..., Any]:
    """Return a function of C for compiled code.

    Parameters
    ----------
    name : str
        Without its prefix, if it is one of `blas`.
    signature : str
        A letter for the result and for each argument: v nothing, i int, f float, d double,
        p array of float32 (its attribute `ctypes`).
    """
    library, prefix = _openblas() if blas else (ctypes.CDLL(None), "")
    found = getattr(library, f"{prefix}{name}")
    if not HAS_NUMBA:
        kinds: dict[str, Any] = {
            "v": None,
            "i": ctypes.c_int,
            "f": ctypes.c_float,
            "d": ctypes.c_double,
            "p": ctypes.c_void_p,
        }
        found.restype, *found.argtypes = (kinds[letter] for letter in signature)
        return cast(Callable[..., Any], found)
    types: Any = numba.types
    kinds = {"v": types.void, "i": types.int32, "f": types.float32, "d": types.float64}
    kinds["p"] = types.CPointer(types.float32)
    result, *arguments = (kinds[letter] for letter in signature)
    # under another name: LLVM puts a product in place of a call of "powf" with 2
    own = f"gcnet_caffe_{name}"
    binding.add_symbol(own, ctypes.cast(found, ctypes.c_void_p).value)
    made: Callable[..., Any] = types.ExternalFunction(own, result(*arguments))
    return made


expf = _c_function("expf", "ff")
logf = _c_function("logf", "ff")
powf = _c_function("powf", "fff")
tanhf = _c_function("tanhf", "ff")
exp = _c_function("exp", "dd")
log = _c_function("log", "dd")
tanh = _c_function("tanh", "dd")
sgemm = _c_function("cblas_sgemm", "viiiiiifpipifpi", blas=True)
sgemv = _c_function("cblas_sgemv", "viiiifpipifpi", blas=True)
sdot = _c_function("cblas_sdot", "fipipi", blas=True)
sasum = _c_function("cblas_sasum", "fipi", blas=True)
