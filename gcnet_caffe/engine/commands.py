"""What `gcnet train`, `test` and `time` do, from file names.

Source: Caffe tools/caffe.cpp.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from gcnet_caffe.engine import distributed, rng, signals
from gcnet_caffe.engine.alternation import Alternation
from gcnet_caffe.engine.device import choose_device, gpu_name, prepare_torch
from gcnet_caffe.engine.log import Log, LogFlags
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.records import FeedOptions
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.engine.testing import score
from gcnet_caffe.engine.timing import time_net
from gcnet_caffe.engine.weights import copy_weights
from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats import caffe_pb, read_solver


class Job(NamedTuple):
    """What to train, in the words of `caffe train`'s flags; `ranks` processes if on the CPU.

    With a `discriminator_solver` two solvers train in turns (see alternation), and `snapshot` names
    two, the generator's and the discriminator's, separated by a comma.
    """

    solver: str
    weights: str = ""
    snapshot: str = ""
    gpus: object = None
    level: int = 0
    stages: tuple = ()
    sigint_effect: str = signals.STOP
    sighup_effect: str = signals.SNAPSHOT
    log: str = ""
    ranks: int = 1
    discriminator_solver: str = ""
    log_flags: LogFlags = LogFlags()


def train(job, options):
    """Train as `job` and the EngineOptions `options` say, on one device or one of each rank.

    Raises
    ------
    GcnetError
        A file, the nets or the devices are not as they must be; or training cannot go on.
    """
    param = _read(job)
    gpus = _gpus_of(job, param)
    ranks = len(gpus) if gpus else job.ranks
    if job.discriminator_solver and (ranks > 1 or distributed.launched() or options.cuda_graphs):
        raise UsageError(
            "-discriminator_solver: two solvers take turns in one process, without --cuda-graphs"
        )
    if ranks > 1 and not distributed.launched():
        from gcnet_caffe.engine.spawning import train_on_each

        return train_on_each(train, job._replace(gpus=gpus), options, ranks)
    rank = int(os.environ.get("LOCAL_RANK", 0))
    if gpus and rank >= len(gpus):
        raise UsageError(f"rank {rank} of this machine has no GPU: -gpu names {len(gpus)}")
    device = choose_device(gpus[rank] if gpus else None)
    prepare_torch(options, device)
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(distributed.group(device))
        log = stack.enter_context(_log(job, param, silent=group.rank > 0))
        log("Use CPU." if device.type == "cpu" else f"Using GPUs {gpus} ({gpu_name(device)})")
        requested = stack.enter_context(signals.listening(job.sigint_effect, job.sighup_effect))
        if job.discriminator_solver:
            solver = _two_players(param, job, device, options, log, requested)
        else:
            solver = Solver(param, job.solver, device, options, group, log, requested)
        if job.snapshot:
            log(f"Resuming from {job.snapshot}")
            solver.restore(*_snapshots(job))
        log("Starting Optimization")
        solver.solve()
        log("Optimization Done.")


def _two_players(param, job, device, options, log, requested):
    """Return the Alternation of a job with a discriminator; its solver is made first."""
    second = _read(job._replace(solver=job.discriminator_solver))
    log_of_it = log.of("discriminator")
    discriminator = Solver(second, job.discriminator_solver, device, options, log=log_of_it)
    generator = Solver(param, job.solver, device, options, log=log, draws=discriminator.rng)
    return Alternation(discriminator, generator, requested)


def _snapshots(job):
    """The snapshots to resume from: the discriminator's comes first, as its solver does."""
    if not job.discriminator_solver:
        return (job.snapshot,)
    paths = [path.strip() for path in job.snapshot.split(",")]
    if len(paths) != 2:
        raise UsageError(
            f"-snapshot {job.snapshot}: wanted two, GENERATOR.solverstate,DISCRIMINATOR.solverstate"
        )
    return paths[::-1]


def _read(job):
    param = read_solver(job.solver)
    param.train_state.level = job.level
    param.train_state.stage.extend(job.stages)
    if job.snapshot or job.weights:
        param.ClearField("weights")
    if job.weights:
        param.weights.append(job.weights)
    return param


def _gpus_of(job, param):
    """Return the GPUs to use: the flag's, else the solver file's solver_mode and device_id."""
    if job.gpus is not None or not param.HasField("solver_mode"):
        if job.gpus == []:
            raise UsageError("-gpu all: PyTorch sees no GPU here; leave -gpu out to use the CPU")
        return job.gpus
    if param.solver_mode != caffe_pb.SolverParameter.GPU:
        return None
    if not torch.cuda.device_count():
        print(
            f"gcnet train: {job.solver}: solver_mode: GPU, and PyTorch sees no GPU here: "
            "using the CPU",
            file=sys.stderr,
        )
        return None
    return [param.device_id]


@contextlib.contextmanager
def _log(job, param, silent):
    """The log on stderr; or in the file job.log, with a progress bar on stderr.

    A run that resumes adds to the file.
    """
    if not job.log or silent:
        yield Log(silent=silent, flags=job.log_flags)
        return
    Path(job.log).parent.mkdir(parents=True, exist_ok=True)
    with open(job.log, "a" if job.snapshot else "w", encoding="utf-8") as stream:
        with tqdm(total=param.max_iter, unit="it", disable=None, leave=False) as bar:

            def shown(iteration):
                bar.update(iteration - bar.n)

            yield Log(stream, on_iteration=shown, flags=job.log_flags)


def _open(model, phase, gpus, level, stages, options, weights, log):
    device = choose_device(gpus[0] if gpus else None)
    prepare_torch(options, device)
    log("Use CPU." if device.type == "cpu" else f"Use GPU with device ID {gpus[0]}")
    draws = rng.CaffeRng(int.from_bytes(os.urandom(4), "little"))
    feed = FeedOptions(
        limit_bytes=int(options.data_limit * 2**30),
        device=None if device.type == "cpu" else device,
    )
    if options.summation == "caffe":
        from gcnet_caffe.engine import caffe_order

        caffe_order.prepare(device, log)
    place = {"feed": feed, "summation": options.summation}
    net = open_net(model, phase, draws, level, stages, **place)
    for path in filter(None, map(str.strip, weights.split(","))):
        copy_weights(net, path, log)
    net.to(device).use_channels_last()
    if options.compile:
        net.use_torch_compile()
    return net, device


def test(
    model: str,
    weights: str,
    iterations: int,
    gpus: list[int] | None = None,
    level: int = 0,
    stages: Sequence[str] = (),
    options: EngineOptions | None = None,
    log: Log | None = None,
) -> tuple[float, dict[str, Any]]:
    """Score the net at `model` in phase TEST; return (loss, {output: means}).

    As `caffe test`, on whatever its own layers give: the records of an LMDB, a DummyData layer's
    numbers, zeros from an Input layer.
    """
    log = log or Log()
    if iterations < 1:
        raise UsageError(f"-iterations: found {iterations}, wanted 1 or more")
    net, _ = _open(model, caffe_pb.TEST, gpus, level, stages, options, weights, log)
    return score(net, iterations, log)


def time(
    model: str,
    phase: str,
    iterations: int,
    gpus: list[int] | None = None,
    level: int = 0,
    stages: Sequence[str] = (),
    options: EngineOptions | None = None,
    log: Log | None = None,
) -> None:
    """Measure the layers of the net at `model`, forward and backward."""
    log = log or Log()
    if iterations < 1:
        raise UsageError(f"-iterations: found {iterations}, wanted 1 or more")
    if phase not in ("TRAIN", "TEST"):
        raise UsageError(f'phase must be "TRAIN" or "TEST": found {phase!r}')
    number = caffe_pb.TRAIN if phase == "TRAIN" else caffe_pb.TEST
    net, device = _open(model, number, gpus, level, stages, options, "", log)
    time_net(net, iterations, log, device)
