"""Several solvers training one net, each on its own records, with averaged gradients.

The semantics are those of `caffe train -gpu 0,1` (Caffe src/caffe/parallel.cpp): every rank
reads the records whose number modulo the number of ranks is its own, the gradients are averaged
before each update, all ranks start with rank 0's weights, and rank 0 alone tests, logs
and writes snapshots. BatchNorm's moving averages are each rank's own; rank 0's are saved.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from gcnet_caffe.errors import TrainingError

#: Seconds that the ranks wait for one that does not answer.
TIMEOUT = 600

_T = TypeVar("_T")


class Group:
    """The solvers that train together; this class is a group of one.

    Attributes
    ----------
    rank, size : int
        This solver's number, from 0, and how many there are.
    """

    rank, size = 0, 1

    def broadcast(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give the `tensors` of every rank the values that rank 0's have."""

    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace the values of each of the `tensors` by their mean over the ranks."""

    def gather(self, value: Any) -> list[Any] | None:
        """Return the list of every rank's `value` (what JSON can hold) on rank 0, else None."""
        return [value]

    def agree(self, value: _T) -> _T:
        """Return rank 0's `value`."""
        return value


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, dist.DistError) as error:
        rank, said = os.environ.get("RANK"), str(error).splitlines()[0]
        raise TrainingError(f"rank {rank}: the other ranks do not answer: {said}") from None


class TorchGroup(Group):
    """The solvers of a torch.distributed process group.

    Raises
    ------
    TrainingError
        From each method: another rank does not answer within TIMEOUT seconds, or is lost.
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    @_one_line()
    @torch.no_grad()
    def broadcast(self, tensors: Iterable[torch.Tensor]) -> None:
        for tensor in tensors:
            dist.broadcast(tensor.data, 0)

    @_one_line()
    @torch.no_grad()
    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors])):
            tensor.copy_(part.view(tensor.shape))

    @_one_line()
    def gather(self, value: Any) -> list[Any] | None:
        found = [None] * self.size if self.rank == 0 else None
        dist.gather_object(value, found)
        return found

    @_one_line()
    def agree(self, value: _T) -> _T:
        holder = [value]
        dist.broadcast_object_list(holder, 0)
        return holder[0]


def launched() -> bool:
    """Return whether torchrun, or `spawning.run_ranks`, started this process."""
    return "LOCAL_RANK" in os.environ


@contextlib.contextmanager
def group(device: torch.device) -> Iterator[Group]:
    """Join the process group that torchrun describes, and yield its `Group`.

    Where torchrun did not start this process, it is a group of one.

    Parameters
    ----------
    device : torch.device
        Of this rank: tensors on GPUs go through NCCL, and what is on the CPU through gloo.

    Raises
    ------
    TrainingError
        From the group's methods: another rank is lost.
    """
    if not launched():
        yield Group()
        return
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=timedelta(seconds=TIMEOUT))
    try:
        yield TorchGroup()
    finally:
        dist.destroy_process_group()
