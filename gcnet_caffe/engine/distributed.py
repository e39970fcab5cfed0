"""Several solvers training one net, each on its own records, with averaged gradients.

The semantics are those of `caffe train -gpu 0,1` (Caffe src/caffe/parallel.cpp): every rank
reads the records whose number modulo the number of ranks is its own, the gradients are averaged
before each update, rank 0's weights are everyone's at the start, and rank 0 alone tests, logs
and writes snapshots. BatchNorm's moving averages are each rank's own; rank 0's are saved.
"""

import contextlib
import os
from datetime import timedelta

import torch
import torch.distributed as dist

from gcnet_caffe.errors import TrainingError

#: Seconds without word from a rank before the others give up.
TIMEOUT = 600


class Group:
    """The solvers that train together; of one solver by default."""

    rank, size = 0, 1

    def broadcast(self, tensors):
        """Give every rank the values that rank 0 has."""

    def average(self, tensors):
        """Replace each tensor by its mean over the ranks."""

    def gather(self, value):
        """Return the list of every rank's `value` (a JSON-able object) on rank 0, else None."""
        return [value]

    def agree(self, value):
        """Return rank 0's `value`."""
        return value


class TorchGroup(Group):
    """The solvers of a torch.distributed process group."""

    def __init__(self):
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def broadcast(self, tensors):
        with _one_line(), torch.no_grad():
            for tensor in tensors:
                dist.broadcast(tensor.data, 0)

    def average(self, tensors):
        with _one_line(), torch.no_grad():
            flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
            dist.all_reduce(flat)
            flat /= self.size
            for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors])):
                tensor.copy_(part.view(tensor.shape))

    def gather(self, value):
        found = [None] * self.size
        with _one_line():
            dist.gather_object(value, found if self.rank == 0 else None)
        return found if self.rank == 0 else None

    def agree(self, value):
        holder = [value]
        with _one_line():
            dist.broadcast_object_list(holder, 0)
        return holder[0]


@contextlib.contextmanager
def _one_line():
    try:
        yield
    except (RuntimeError, dist.DistError) as error:
        raise TrainingError(
            f"rank {os.environ.get('RANK')}: lost the other ranks: {str(error).splitlines()[0]}"
        ) from None


def launched():
    """Return whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ or "LOCAL_RANK" in os.environ


@contextlib.contextmanager
def group(device):
    """Join the process group that torchrun describes, if it does; yield the `Group`."""
    if not launched():
        yield Group()
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=timedelta(seconds=TIMEOUT))
    try:
        yield TorchGroup()
    finally:
        dist.destroy_process_group()
