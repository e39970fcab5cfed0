"""What holds for the whole process: device, random numbers, log, order of summation.

Source: Caffe include/caffe/common.hpp, python/caffe/_caffe.cpp.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import torch

from gcnet_caffe.engine.device import choose_device, keep_freed_memory
from gcnet_caffe.engine.log import Log, LogFlags
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.rng import CaffeRng, random_seed
from gcnet_caffe.errors import UsageError

keep_freed_memory()


@dataclass
class State:
    """The settings of this process. What is made takes them as they are then."""

    gpu: int = 0
    uses_gpu: bool = False
    options: EngineOptions = field(default_factory=EngineOptions)
    rng: CaffeRng = field(default_factory=lambda: CaffeRng(random_seed()))
    level: int | None = None
    solver_count: int = 1
    solver_rank: int = 0

    @property
    def log(self) -> Log:
        """A log on stderr, from the level of `init_log`, or of GLOG_minloglevel, up."""
        given = os.environ.get("GLOG_minloglevel", "0")
        level = self.level if self.level is not None else int(given if given.isdecimal() else 0)
        return Log(flags=LogFlags(minloglevel=level))

    @property
    def device(self) -> torch.device:
        """Where nets are made."""
        return choose_device(self.gpu if self.uses_gpu else None)


STATE = State()


def set_mode_cpu() -> None:
    """Make nets on the CPU from now on."""
    STATE.uses_gpu = False


def set_mode_gpu() -> None:
    """Make nets on the GPU from now on; where PyTorch sees none, on the CPU, with a warning."""
    STATE.uses_gpu = torch.cuda.device_count() > 0
    if not STATE.uses_gpu:
        STATE.log.warning("set_mode_gpu: PyTorch sees no GPU here: using the CPU")


def set_device(device_id: int) -> None:
    """Choose which GPU `set_mode_gpu` means."""
    STATE.gpu = device_id


def set_random_seed(seed: int) -> None:
    """Start the random numbers anew: those of fillers, dropout and data layers."""
    STATE.rng.set_state(CaffeRng(seed).state)


def set_summation(order: str) -> None:
    """Choose the order of summation of what is made from now on. Real pycaffe has only its own.

    Parameters
    ----------
    order : str
        'torch' (the fastest), or 'caffe' (CPU Caffe's: the same numbers).

    Raises
    ------
    UsageError
        There is no such order, or it cannot be had here.
    """
    options = EngineOptions(summation=order)
    if order == "caffe":
        from gcnet_caffe.engine import caffe_order

        caffe_order.prepare(STATE.device, STATE.log)
    STATE.options = options


def init_log(level: int = 0, stderr: bool = True) -> None:
    """Write lines of `level` and above only: 0 information, 1 warnings, 2 errors."""
    STATE.level = level


def log(text: str) -> None:
    """Write `text` to the log."""
    STATE.log(text)


def solver_count() -> int:
    """Return how many solvers train together."""
    return STATE.solver_count


def set_solver_count(count: int) -> None:
    """Say how many solvers train together: one. `gcnet train -gpu 0,1` trains with several.

    Raises
    ------
    UsageError
        There is more than one.
    """
    if count != 1:
        raise UsageError(
            f"set_solver_count: found {count}, wanted 1: several GPUs are `gcnet train -gpu 0,1`"
        )


def solver_rank() -> int:
    """Return which of the solvers that train together this is."""
    return STATE.solver_rank


def set_solver_rank(rank: int) -> None:
    """Say which of the solvers this is; the seed of a solver is its own."""
    STATE.solver_rank = rank


def set_multiprocess(several: bool) -> None:
    """Nothing: one process is one solver in any case."""


def has_nccl() -> bool:
    """Whether this module trains on several GPUs with NCCL: no; `gcnet train` does."""
    return False
