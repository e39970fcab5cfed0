"""Processes that end with the one that started them.

A process ends when the process that started the whole run is killed (`follow`). It also ends when
its starter leaves the block for which it started the process, even by a signal (`start`).

A killed `gcnet run` can no longer stop its jobs, and a second one must not meet them. Jobs that a
cluster starts on other machines are not tied to it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import select
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Any

_NAME = "GCNET_ENDS_WITH"


def offer() -> dict[str, str]:
    """Return the environment variable that ties all processes started below to this one."""
    return {_NAME: f"{platform.node()}:{os.getpid()}"}


def follow() -> None:
    """End this process when the one that made the `offer` ends, if that is on this machine."""
    node, _, number = os.environ.get(_NAME, "").rpartition(":")
    if node != platform.node() or not hasattr(os, "pidfd_open"):
        return
    try:
        watched = os.pidfd_open(int(number))
    except ProcessLookupError:
        os._exit(1)
    threading.Thread(target=_end_after, args=[watched], daemon=True).start()


def _end_after(watched: int) -> None:
    select.select([watched], [], [])
    os._exit(1)


def start(
    stack: contextlib.ExitStack, command: Sequence[str], **options: Any
) -> subprocess.Popen[Any]:
    """Start a process; when the block of `stack` is left, it is asked to end and waited for.

    Signals wait until Popen has returned: a handler that raises (as Ctrl-C's does) would make
    Popen forget the process.

    Parameters
    ----------
    stack : ExitStack
    command, options
        As for subprocess.Popen.

    Returns
    -------
    subprocess.Popen
    """
    with _signals_wait():
        process = stack.enter_context(subprocess.Popen(command, **options))
        stack.callback(process.terminate)
    return process


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Handle the signals that come inside the block after it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread runs handlers
        return
    come: list[int] = []
    kept = [(end, handler) for end in _ENDS if callable(handler := signal.getsignal(end))]
    for end, _ in kept:
        signal.signal(end, lambda number, frame: come.append(number))
    try:
        yield
    finally:
        for end, handler in kept:
            signal.signal(end, handler)
        for number in come:
            signal.raise_signal(number)


_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
