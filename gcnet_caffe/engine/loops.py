"""Loops that Numba compiles, and the threads that share them.

Compiled code does not hold Python's lock, so that threads compute at the same time. Numba keeps
the code beside the sources; it compiles a function anew when that function's own file has changed.
Without Numba the same functions run as Python, slowly.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import torch
from numpy.typing import NDArray

_Function = TypeVar("_Function", bound=Callable[..., Any])

#: How many numbers are worth a thread.
_WORTH = 1 << 15


@functools.cache
def has_numba() -> bool:
    """Whether Numba is there; the first call imports it, which takes a while."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def compiled(function: _Function) -> _Function:
    """Decorator: Numba compiles `function`, which then runs without Python's lock."""
    if not has_numba():
        return function
    import numba

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
    wanted = min(torch.get_num_threads(), count * size // _WORTH, steps) if has_numba() else 1
    threads = max(wanted, 1)
    edges = [min(steps * index // threads * step, count) for index in range(threads + 1)]
    parts = list(zip(edges, edges[1:]))
    others = [_pool(threads - 1).submit(function, *arguments, *part) for part in parts[1:]]
    function(*arguments, *parts[0])
    for other in others:
        other.result()


def channels_last_array(blob: torch.Tensor) -> NDArray[Any]:
    """Return the memory of a channels-last (N, C, H, W) blob, 1-d; bfloat16 as int16."""
    flat = blob.detach().permute(0, 2, 3, 1).reshape(-1)
    return (flat.view(torch.int16) if flat.dtype == torch.bfloat16 else flat).numpy()


@functools.cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers)
