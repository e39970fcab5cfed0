"""A map over worker processes that keeps the order and bounds what is in flight."""

from __future__ import annotations

import collections
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from gcnet_caffe.errors import GcnetError

_IN_FLIGHT = 4  # tasks handed out per worker

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")


def cores() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(
    function: Callable[[_Task], _Result],
    tasks: Iterable[_Task],
    workers: int,
    initializer: Callable[..., object],
    initargs: tuple[Any, ...] = (),
) -> Iterator[_Result]:
    """Yield `function(task)` for each of `tasks`, in their order.

    Parameters
    ----------
    function : callable at the top level of a module
    tasks : iterable
    workers : int
        Number of processes; with 1, everything runs in this one.
    initializer : callable at the top level of a module
        Each process calls ``initializer(*initargs)`` once, before its first task.
    initargs : tuple

    Yields
    ------
    object

    Raises
    ------
    GcnetError
        A worker process died. What `function` raises is raised here, too.
    """
    if workers == 1:
        initializer(*initargs)
        yield from map(function, tasks)
        return
    # Fresh interpreters: a fork would copy the state of OpenCV's thread pool without its threads.
    pool = ProcessPoolExecutor(
        workers,
        multiprocessing.get_context("spawn"),
        _start,
        (initializer, initargs),
    )
    waiting: collections.deque[Future[_Result]] = collections.deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(function, task))
            if len(waiting) >= _IN_FLIGHT * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise GcnetError(
            "a worker process died: out of memory (fewer --workers?), or the program that starts "
            "it lacks `if __name__ == '__main__':`"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start(initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers on Ctrl-C
    threading.Thread(target=_follow_parent, daemon=True).start()
    initializer(*initargs)


def _follow_parent() -> None:
    """End this worker when its parent was killed; otherwise it would wait for tasks for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    multiprocessing.connection.wait([parent.sentinel])
    os._exit(1)
