"""The functions of C that compiled loops (engine/loops.py) call, by their addresses.

OpenBLAS adds up in the order of the kernels that it chooses for the processor, or that
OPENBLAS_CORETYPE gives when it is loaded. Each version chooses differently, so the kernels are
chosen here: Sandybridge, which run on any processor with AVX and have no fused multiply-add. Where
a compiler puts that (in other kernels: the remainders of 4 or 32) decides how numbers are rounded.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any, cast

import torch

from gcnet_caffe.engine.loops import has_numba
from gcnet_caffe.engine.options import KERNELS
from gcnet_caffe.errors import UsageError

if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512"):
    os.environ.setdefault("OPENBLAS_CORETYPE", KERNELS)

from scipy.linalg import _fblas  # noqa: E402

if has_numba():
    import numba
    from llvmlite import binding


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
    if not has_numba():
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
