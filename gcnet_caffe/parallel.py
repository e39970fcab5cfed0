"""A map over worker processes that keeps the order and bounds what is in flight."""

import collections
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from gcnet_caffe.errors import GcnetError

_IN_FLIGHT = 4  # tasks handed out per worker


def cores():
    """The number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def ordered_map(function, tasks, workers, initializer, initargs=()):
    """Yield `function(task)` for each of `tasks`, in their order.

    Parameters
    ----------
    function, initializer : callables at the top level of a module
        Each process calls ``initializer(*initargs)`` once, before its first task.
    tasks : iterable
    workers : int
        Number of processes; with 1, everything runs in this one.
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
    waiting = collections.deque()
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


def _start(initializer, initargs):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers on Ctrl-C
    threading.Thread(target=_follow_parent, daemon=True).start()
    initializer(*initargs)


def _follow_parent():
    """End this worker when its parent was killed; it would wait for tasks for ever."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)
