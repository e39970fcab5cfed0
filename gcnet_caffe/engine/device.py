"""Which device runs a net, and what is set for the whole process."""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.errors import UsageError


def choose_device(gpu: int | None) -> torch.device:
    """Return the torch.device of the GPU number `gpu`, or the CPU for None.

    Raises
    ------
    UsageError
        There is no such GPU.
    """
    if gpu is None:
        return torch.device("cpu")
    count = torch.cuda.device_count()
    if gpu >= count:
        raise UsageError(
            f"-gpu {gpu}: PyTorch sees {count} GPUs here; leave -gpu out to use the CPU"
        )
    return torch.device("cuda", gpu)


def prepare_torch(options: EngineOptions, device: torch.device) -> None:
    """Set what holds for the whole process: device, threads, precision of float32, freed memory.

    On a GPU convolutions use only algorithms that give the same numbers each time, and cuDNN's own
    choice of them: the fastest of a trial may be another one when a training is resumed.

    Parameters
    ----------
    options : EngineOptions
        Its `threads` and `precision` count.
    device : torch.device
        Where nets will run.
    """
    keep_freed_memory()
    if options.threads:
        torch.set_num_threads(options.threads)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # of streams, graphs and NCCL, which name no device
        allowed = options.precision == "tf32"
        with warnings.catch_warnings():  # PyTorch 2.9 to 2.11 call these names old
            warnings.simplefilter("ignore", UserWarning)
            torch.backends.cuda.matmul.allow_tf32 = allowed
            torch.backends.cudnn.allow_tf32 = allowed
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True


def to_device(array: NDArray[Any] | torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return `array`, of this machine's memory or of a device, as a tensor on `device`.

    A copy to a GPU is queued: the CPU does not wait until the GPU has done what was queued before.
    """
    tensor = torch.as_tensor(array)
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def describe_gpus(numbers: Iterable[int]) -> Iterator[str]:
    """Yield one line for each GPU of `numbers`: name, memory, capability.

    Raises
    ------
    UsageError
        There is no such GPU.
    """
    for number in numbers:
        found = torch.cuda.get_device_properties(choose_device(number))
        yield (
            f"GPU {number}: {found.name}, {found.total_memory / 2**30:.1f} GiB, "
            f"compute capability {found.major}.{found.minor}, "
            f"{found.multi_processor_count} multiprocessors"
        )


#: Names of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let malloc keep the memory of freed blobs for the next ones (Linux only).

    A blob of a few MB is otherwise mapped, filled with zeros page by page and unmapped in every
    iteration: a third of the time of a training step of S1R1 on two cores (docs/benchmarks.md).
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt:
            mallopt(_M_MMAP_THRESHOLD, 1 << 30)
            mallopt(_M_TRIM_THRESHOLD, (1 << 31) - 1)
