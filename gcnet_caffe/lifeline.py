"""Processes that end with the one that started them.

A process ends when the one that started the whole run was killed (`follow`), and when its starter
leaves the block that it was started for, by a signal too (`start`).

A killed `gcnet run` cannot stop its jobs any more, and a second one must not meet them. Jobs that a
cluster starts on other machines are not of that kind.
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

_NAME = "GCNET_LIFELINE"


def offer() -> dict[str, str]:
    """Return the environment variable that ties children, and theirs, to this process."""
    return {_NAME: f"{platform.node()}:{os.getpid()}"}


def follow() -> None:
    """Watch the process that the environment names, if it is on this machine."""
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


def start(stack: contextlib.ExitStack, command: Sequence[str], **options: Any) -> Any:
    """Start a process that is asked to end, and waited for, when the block of `stack` is left.

    A signal whose handler raises (as Ctrl-C's does) cannot come between: Popen forgets a process
    when it is left by an exception.

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
    handlers = {number: signal.getsignal(number) for number in _ENDS}
    kept = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in kept:
        signal.signal(number, lambda number, frame: come.append(number))
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
        for number in come:
            signal.raise_signal(number)


_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
