"""What `gcnet train`, `test` and `time` do, from file names.

Source: Caffe tools/caffe.cpp.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Union

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from gcnet_caffe.engine import distributed, signals
from gcnet_caffe.engine.alternation import Alternation
from gcnet_caffe.engine.device import choose_device, prepare_torch
from gcnet_caffe.engine.layers import TEST
from gcnet_caffe.engine.log import Log, LogFlags
from gcnet_caffe.engine.net import PHASES, Net, open_net
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.records import FeedOptions
from gcnet_caffe.engine.rng import CaffeRng, random_seed
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.engine.testing import score
from gcnet_caffe.engine.timing import time_net
from gcnet_caffe.engine.weights import copy_weights
from gcnet_caffe.errors import NO_FILE, UsageError, WeightsError
from gcnet_caffe.formats import read_solver
from gcnet_caffe.formats.snapshots import SnapshotFiles

AnyPath = Union[str, "os.PathLike[str]"]


class _Given(NamedTuple):
    """What to train: the parameters of `train`, checked."""

    solvers: tuple[str, ...]  # the generator's first
    weights: tuple[str, ...]
    snapshots: tuple[str, ...]  # in the order of the solvers
    gpus: Sequence[int] | None
    level: int
    stages: tuple[str, ...]
    sigint_effect: str
    sighup_effect: str
    log: str
    log_flags: LogFlags
    options: EngineOptions


def train(
    solver: AnyPath,
    weights: AnyPath | Sequence[AnyPath] = (),
    snapshot: AnyPath | Sequence[AnyPath] = (),
    gpus: Sequence[int] | None = None,
    options: EngineOptions | None = None,
    *,
    level: int = 0,
    stages: Sequence[str] = (),
    ranks: int = 1,
    discriminator_solver: AnyPath = "",
    sigint_effect: str = signals.STOP,
    sighup_effect: str = signals.SNAPSHOT,
    log: AnyPath = "",
    log_flags: LogFlags | None = None,
) -> SnapshotFiles | None:
    """Train a net from its solver file, as `gcnet train` and `caffe train` do.

    Paths in the solver and its net are relative to the current folder, as in Caffe.

    Parameters
    ----------
    solver : path
        The solver's prototxt.
    weights : path or sequence of paths
        .caffemodel files to start from: layers of the same names get their weights. In a path a
        comma separates two files, as in Caffe.
    snapshot : path or pair of paths
        A .solverstate to resume from. With a `discriminator_solver` two of them, the generator's
        and the discriminator's (in one string: separated by a comma).
    gpus : sequence of int, optional
        The GPUs to train on, one process per GPU. Default: what the solver file says
        (solver_mode, device_id), and the CPU where it says nothing.
    options : EngineOptions, optional
    level : int
    stages : sequence of str
        Of the net's state: which layers it includes.
    ranks : int
        Processes that train together on the CPU. With more than one, or several GPUs, a script
        that calls this needs ``if __name__ == "__main__":`` around the call.
    discriminator_solver : path
        A second solver: the two train in turns (see `alternation`).
    sigint_effect, sighup_effect : str
        What SIGINT (Ctrl-C) and SIGHUP do: ``stop`` (after a snapshot, as the solver says),
        ``snapshot`` or ``none``. They are handled in a program's main thread only.
    log : path
        File of the log; stderr then shows a progress bar. It is replaced, but with a `snapshot`
        added to. Default: the log is written to stderr.
    log_flags : LogFlags, optional
        glog's flags.

    Returns
    -------
    SnapshotFiles or None
        The last snapshot that was written: ``model`` is its .caffemodel, ``state`` its
        .solverstate. None where none was written. With two solvers the generator's.

    Raises
    ------
    UsageError
        Two parameters do not go together, or there is no such GPU.
    SchemaError, NetError, LmdbError, WeightsError
        A file cannot be read, or what it holds cannot be executed or does not fit.
    TrainingError
        Training cannot continue: the loss is not a number, or another rank is lost.
    """
    options = options or EngineOptions()
    solvers = (os.fspath(solver), *filter(None, (os.fspath(discriminator_solver),)))
    given = _Given(
        solvers,
        _paths(weights),
        _snapshots(snapshot, len(solvers)),
        gpus,
        level,
        tuple(stages),
        sigint_effect,
        sighup_effect,
        os.fspath(log),
        log_flags or LogFlags(),
        options,
    )
    if given.snapshots and given.weights:
        raise UsageError("Give a snapshot to resume training or weights to finetune but not both.")
    params = [_read(given, index) for index in range(len(solvers))]
    weights_of_solvers = (path for param in params for path in _paths(",".join(param.weights)))
    _check_there(*given.snapshots, *weights_of_solvers)
    given = given._replace(gpus=_gpus_of(given, params[0]))
    ranks = len(given.gpus) if given.gpus else ranks
    if discriminator_solver and (ranks > 1 or distributed.launched() or options.cuda_graphs):
        raise UsageError(
            "-discriminator_solver: two solvers take turns in one process, without --cuda-graphs"
        )
    if given.gpus:
        choose_device(max(given.gpus))  # before ranks are started
    if ranks > 1 and not distributed.launched():
        from gcnet_caffe.engine.spawning import run_ranks

        return run_ranks(functools.partial(_train, given), ranks)
    return _train(given)


def _train(given: _Given) -> SnapshotFiles | None:
    """Train on one device: that of this process's rank."""
    rank, gpus = int(os.environ.get("LOCAL_RANK", 0)), given.gpus
    if gpus and rank >= len(gpus):
        raise UsageError(f"rank {rank} of this machine has no GPU: -gpu gives {len(gpus)}")
    device = choose_device(gpus[rank] if gpus else None)
    prepare_torch(given.options, device)
    param = _read(given, 0)
    with contextlib.ExitStack() as stack:
        group = stack.enter_context(distributed.group(device))
        log = stack.enter_context(_log(given, param.max_iter, silent=group.rank > 0))
        log(f"Using GPUs {gpus} ({torch.cuda.get_device_name(device)})" if gpus else "Use CPU.")
        requested = stack.enter_context(signals.listening(given.sigint_effect, given.sighup_effect))
        options = given.options
        if len(given.solvers) == 1:
            solver = Solver(param, given.solvers[0], device, options, group, log, requested)
            trained: Solver | Alternation = solver
        else:
            of_it = log.of("discriminator")
            other = Solver(_read(given, 1), given.solvers[1], device, options, log=of_it)
            solver = Solver(param, given.solvers[0], device, options, log=log, draws=other.rng)
            trained = Alternation(other, solver, requested)
        if given.snapshots:
            log(f"Resuming from {','.join(given.snapshots)}")
            trained.restore(*reversed(given.snapshots))
        log("Starting Optimization")
        trained.solve()
        log("Optimization Done.")
    return solver.last_snapshot


def _paths(given: AnyPath | Sequence[AnyPath]) -> tuple[str, ...]:
    """Return the paths that are given: one, several separated by commas, or a sequence."""
    if isinstance(given, (str, os.PathLike)):
        given = os.fspath(given).split(",")
    return tuple(path for path in (os.fspath(each).strip() for each in given) if path)


def _check_there(*paths: str) -> None:
    """Check, before any net is built, that the files of weights and snapshots are there."""
    for path in paths:
        if not os.path.isfile(path):
            raise WeightsError(f"{path}: {NO_FILE}")


def _snapshots(given: AnyPath | Sequence[AnyPath], count: int) -> tuple[str, ...]:
    """Return the snapshots to resume from, none or one per solver."""
    if count == 1 and isinstance(given, (str, os.PathLike)):
        given = (given,)  # its name may have a comma
    found = _paths(given)
    if len(found) not in (0, count):
        wanted = "two, GENERATOR.solverstate,DISCRIMINATOR.solverstate" if count > 1 else "one"
        raise UsageError(f"-snapshot {','.join(found)}: wanted {wanted}")
    return found


def _read(given: _Given, index: int) -> Any:
    """Return the SolverParameter of one of the solvers, with what the call says besides."""
    param = read_solver(given.solvers[index])
    param.train_state.level = given.level
    param.train_state.stage.extend(given.stages)
    if given.snapshots or given.weights:
        param.ClearField("weights")
    param.weights.extend(given.weights)
    return param


def _gpus_of(given: _Given, param: Any) -> Sequence[int] | None:
    """Return the GPUs to use: those given, else the solver file's solver_mode and device_id."""
    if given.gpus is not None and not len(given.gpus):
        raise UsageError("-gpu all: PyTorch sees no GPU here; leave -gpu out to use the CPU")
    wants_gpu = param.HasField("solver_mode") and param.solver_mode == param.GPU
    if given.gpus or not wants_gpu:
        return given.gpus
    if not torch.cuda.device_count():
        print(
            f"gcnet train: {given.solvers[0]}: solver_mode: GPU, and PyTorch sees no GPU here: "
            "using the CPU",
            file=sys.stderr,
        )
        return None
    return [param.device_id]


@contextlib.contextmanager
def _log(given: _Given, iterations: int, silent: bool) -> Iterator[Log]:
    """The log on stderr; or in the file `given.log`, with a progress bar on stderr.

    A run that resumes adds to the file.
    """
    if not given.log or silent:
        yield Log(silent=silent, flags=given.log_flags)
        return
    Path(given.log).parent.mkdir(parents=True, exist_ok=True)
    with (
        open(given.log, "a" if given.snapshots else "w", encoding="utf-8") as stream,
        tqdm(total=iterations, unit="it", disable=None, leave=False) as bar,
    ):
        yield Log(stream, on_iteration=lambda it: bar.update(it - bar.n), flags=given.log_flags)


def _open(
    model: AnyPath,
    phase: int,
    iterations: int,
    gpus: Sequence[int] | None,
    options: EngineOptions | None,
    level: int,
    stages: Sequence[str],
    log: Callable[[str], None],
    weights: AnyPath | Sequence[AnyPath] = (),
) -> tuple[Net, torch.device]:
    """Open the net that `test` or `time` runs, as they say."""
    if iterations < 1:
        raise UsageError(f"-iterations: found {iterations}, wanted 1 or more")
    options = options or EngineOptions()
    device = choose_device(gpus[0] if gpus else None)
    prepare_torch(options, device)
    log(f"Use GPU with device ID {gpus[0]}" if gpus else "Use CPU.")
    if options.summation == "caffe":
        from gcnet_caffe.engine import caffe_order

        caffe_order.prepare(device, log)
    _check_there(*_paths(weights))
    feed, draws = FeedOptions.of(options, device), CaffeRng(random_seed())
    net = open_net(model, phase, draws, level, stages, feed=feed, summation=options.summation)
    for path in _paths(weights):
        copy_weights(net, path, log)
    net.to(device).use_channels_last()
    if options.compile:
        net.use_torch_compile()
    return net, device


def test(
    model: AnyPath,
    weights: AnyPath | Sequence[AnyPath],
    iterations: int = 50,
    gpus: Sequence[int] | None = None,
    options: EngineOptions | None = None,
    *,
    level: int = 0,
    stages: Sequence[str] = (),
    log: Callable[[str], None] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Score a net in phase TEST, as `gcnet test` and `caffe test` do.

    It is scored on what its own layers give: the records of an LMDB, a DummyData layer's
    numbers, zeros from an Input layer.

    Parameters
    ----------
    model : path
        The net's prototxt. Paths in it are relative to the current folder.
    weights : path or sequence of paths
        .caffemodel files (in one string: separated by commas).
    iterations : int
        Batches to run, 1 or more.
    gpus : sequence of int, optional
        The first is used. Default: the CPU.
    options : EngineOptions, optional
    level : int
    stages : sequence of str
        Of the net's state: which layers it includes.
    log : callable, optional
        Takes each line. Default: the lines are written to stderr, in Caffe's form.

    Returns
    -------
    dict
        Output blob name -> the mean over the batches, a float32 array of the blob's shape.

    Raises
    ------
    UsageError
        `iterations` is below 1, or there is no such GPU.
    SchemaError, NetError, LmdbError, WeightsError
        A file cannot be read, or what it holds cannot be executed or does not fit.
    """
    log = log or Log()
    net, _ = _open(model, TEST, iterations, gpus, options, level, stages, log, weights)
    return score(net, iterations, log)


def time(
    model: AnyPath,
    phase: str = "TRAIN",
    iterations: int = 50,
    gpus: Sequence[int] | None = None,
    options: EngineOptions | None = None,
    *,
    level: int = 0,
    stages: Sequence[str] = (),
    log: Callable[[str], None] | None = None,
) -> None:
    """Log how long each layer of a net takes, forward and backward, as `caffe time` does.

    Parameters
    ----------
    model : path
        The net's prototxt.
    phase : str
        ``TRAIN`` or ``TEST``.
    iterations : int
        Times to run the net, 1 or more.
    gpus, options, level, stages, log
        As `test` takes them.

    Raises
    ------
    UsageError
        There is no such phase or GPU, or `iterations` is below 1.
    SchemaError, NetError, LmdbError
        The net cannot be read or executed.
    """
    log = log or Log()
    if phase not in PHASES:
        raise UsageError(f'phase must be "TRAIN" or "TEST": found {phase!r}')
    net, device = _open(model, PHASES[phase], iterations, gpus, options, level, stages, log)
    time_net(net, iterations, log, device)
