"""`-gpu 0,1` and `--ranks`: several processes on this machine, as torchrun would start them."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from multiprocessing.queues import SimpleQueue
from types import FrameType
from typing import Callable, TypeVar

import torch.multiprocessing
from torch.multiprocessing.spawn import (
    ProcessExitedException,
    ProcessRaisedException,
    start_processes,
)

from gcnet_caffe.engine.signals import handled
from gcnet_caffe.errors import GcnetError, TrainingError

_T = TypeVar("_T")


def run_ranks(train: Callable[[], _T], count: int) -> _T:
    """Run `train` in `count` processes, each of which finds its rank as under torchrun.

    Parameters
    ----------
    train : callable
        It is pickled, as is what it returns.
    count : int
        Processes.

    Returns
    -------
    object
        What rank 0 returned.

    Raises
    ------
    GcnetError
        That of the first rank that failed; the others are stopped.
    TrainingError
        A rank died.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found: SimpleQueue[_T | GcnetError] = torch.multiprocessing.get_context("spawn").SimpleQueue()
    started = start_processes(
        _rank, (train, count, port, found), nprocs=count, join=False, start_method="spawn"
    )

    def pass_on(number: int, _frame: FrameType | None) -> None:
        for pid in started.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    logging.getLogger("torch.multiprocessing.spawn").setLevel(logging.ERROR)  # says whom it stops
    with handled((signal.SIGINT, signal.SIGHUP), pass_on):
        try:
            while not started.join():
                pass
        except ProcessExitedException as error:
            left = None if error.signal_name or found.empty() else found.get()
            if isinstance(left, GcnetError):  # what rank `error_index` raised, or one before it
                raise left from None
            how = f"signal {error.signal_name}" if error.signal_name else f"exit {error.exit_code}"
            raise TrainingError(
                f"rank {error.error_index} died ({how}); training is stopped"
            ) from None
        except ProcessRaisedException as error:
            last = str(error).strip().splitlines()[-1]
            raise TrainingError(f"rank {error.error_index}: {last.split(': ', 1)[-1]}") from None
    made = found.get()
    assert not isinstance(made, GcnetError)
    return made


def _rank(
    rank: int, train: Callable[[], _T], count: int, port: int, found: SimpleQueue[_T | GcnetError]
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(count),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    try:
        made = train()
    except GcnetError as error:
        found.put(error)
        raise SystemExit(1) from None
    if rank == 0:
        found.put(made)
