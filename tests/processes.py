"""`gcnet` as a process that a test can stop at a chosen place.

A test that waits for another process and then sends a signal races it: on a busy machine the work
is over first. Here the process itself stops at the place. It is forked from a server that has
PyTorch loaded, so that a start takes no second.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import pkgutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Callable

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["gcnet_caffe.engine.commands", "tests.processes"])

#: A hang of the program under test ends the test after this long; nothing is measured by it.
PATIENCE = 7200


def start(words: Sequence[object], cwd: Path, place: Callable[[], None] | None = None) -> Any:
    """Start `gcnet WORDS` in the folder `cwd`, with a process group of its own.

    Parameters
    ----------
    words : sequence
        The command line after `gcnet`.
    cwd : Path
        Its stderr is added to the file `stderr` there.
    place : callable, optional
        Called before the command, in its process: one of the functions below with its arguments
        (functools.partial), which lets the process stop where it says.

    Returns
    -------
    multiprocessing.Process
        `pid`, `exitcode`; see `finish`.
    """
    process = _SERVER.Process(target=_run, args=([*map(str, words)], str(cwd), place))
    process.start()
    return process


def _run(words: list[str], cwd: str, place: Callable[[], None] | None) -> None:
    from gcnet_caffe import cli

    os.setsid()
    os.chdir(cwd)
    os.dup2(os.open("stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    if place:
        place()
    sys.argv = ["gcnet", *words]
    sys.exit(cli.main())


def finish(process: BaseProcess) -> int:
    """Wait for the end of `process`; return its exit status, minus the signal that killed it."""
    process.join(PATIENCE)
    assert process.exitcode is not None, "hangs"
    return process.exitcode


def wait_until(holds: Callable[[], object], process: BaseProcess | None = None) -> None:
    """Wait until `holds` returns something true; `process` must not end before."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert process is None or process.exitcode is None, "ended too early"
        assert time.monotonic() < end, "hangs"
        time.sleep(0.005)


def found(folder: Path, pattern: str) -> list[Path]:
    """Return what matches at this moment; folders that go away meanwhile are passed over."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return list(folder.glob(pattern))


def die_after_line(text: str) -> None:
    """Kill the process, and what it has started, when it has logged a line that holds `text`."""
    from gcnet_caffe.engine.log import Log

    write = Log._write

    @functools.wraps(write)
    def write_and_die(self: Log, severity: str, line: str) -> None:
        write(self, severity, line)
        if text in line:
            die()

    Log._write = write_and_die  # type: ignore[method-assign]


def die_after_caffes_line(text: str) -> None:
    """Kill the process, and real Caffe with it, when Caffe has logged a line that holds `text`."""
    from gcnet_caffe.real_caffe import tool as caffe_tool

    follow = caffe_tool._follow

    def until(stream: Iterable[str]) -> Iterator[str]:
        for line in stream:
            yield line
            if text in line:
                die()

    caffe_tool._follow = lambda stream, *more: follow(until(stream), *more)


def die_before(owner: str, name: str, call: int = 1) -> None:
    """Kill the process, and what it has started, instead of call number `call` of a function.

    Parameters
    ----------
    owner : str
        What the function is looked up in: "os", or "package.module:Class".
    name : str
    call : int
    """
    place, calls = pkgutil.resolve_name(owner), [0]
    function = getattr(place, name)

    @functools.wraps(function)
    def count(*args: Any, **options: Any) -> Any:
        calls[0] += 1
        if calls[0] == call:
            die()
        return function(*args, **options)

    setattr(place, name, count)


def die() -> None:
    """Kill this process's group at once."""
    os.killpg(os.getpid(), signal.SIGKILL)
