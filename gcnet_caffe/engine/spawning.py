"""`-gpu 0,1` and `--ranks`: several processes on this machine, as torchrun would start them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from typing import Any, Callable

import torch.multiprocessing as processes

from gcnet_caffe.errors import GcnetError, TrainingError


def train_on_each(train: Callable[[Any, Any], None], job: Any, options: Any, count: int) -> None:
    """Run `train(job, options)` in `count` processes, each with its GPU of `job`; wait for all.

    Raises
    ------
    TrainingError
        A rank died; the others are stopped.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = processes.start_processes(
        _rank, (train, job, options, count, port), nprocs=count, join=False, start_method="spawn"
    )
    with _passing_on(started.pids()):
        try:
            while not started.join():
                pass
        except processes.ProcessExitedException as error:
            how = f"signal {error.signal_name}" if error.signal_name else f"exit {error.exit_code}"
            raise TrainingError(
                f"rank {error.error_index} died ({how}); the job is stopped"
            ) from None
        except processes.ProcessRaisedException as error:
            last = str(error).strip().splitlines()[-1]
            raise TrainingError(f"rank {error.error_index}: {last.split(': ', 1)[-1]}") from None


def _rank(
    rank: int,
    train: Callable[[Any, Any], None],
    job: Any,
    options: Any,
    count: int,
    port: int,
) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(count),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    try:
        train(job, options)
    except GcnetError as error:
        raise SystemExit(f"gcnet train: rank {rank}: {error}") from None


@contextlib.contextmanager
def _passing_on(pids: Sequence[int]) -> Iterator[None]:
    """Pass SIGINT and SIGHUP on to the processes `pids`."""

    def send(number: int, _frame: Any) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    before = {n: signal.signal(n, send) for n in (signal.SIGINT, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
