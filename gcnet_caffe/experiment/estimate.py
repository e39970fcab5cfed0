"""`gcnet run --dry-run`: which jobs are left, and how long they take.

A probe trains each kind of network for 20 iterations on random images, as many at the same time as
the run will, and measures how long the start and an iteration take.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from gcnet_caffe import ends_with_parent
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.run_folder import ResultFolder
from gcnet_caffe.experiment.config import check_data, read_experiment
from gcnet_caffe.experiment.plan import Plan, Training, make_plan
from gcnet_caffe.experiment.snakemake import Machine, environment, find_pending
from gcnet_caffe.faces.align import SIZE
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbWriter
from gcnet_caffe.formats.log import display_times
from gcnet_caffe.nets import NetOptions, SolverOptions
from gcnet_caffe.nets.pretrain import PRETRAININGS
from gcnet_caffe.real_caffe.tool import mounted

ITERATIONS = 20
_WARM = 5  # iterations left out of the measurement
#: The options of a solver that a probe changes.
_SHORT = f"--max-iter {ITERATIONS} --snapshot {ITERATIONS} --display 1 --test-interval 1000000"


def show_plan(path: str, out: str, machine: Machine, changes: Sequence[str] = ()) -> None:
    """Print the jobs that `gcnet run` would do, and an estimate of their time.

    Parameters
    ----------
    path : str
        The experiment's YAML file.
    out : str
        Folder of the run; it need not exist.
    machine : Machine
    changes : sequence of str
        ``KEY=VALUE``, as `gcnet run --set` takes them.

    Raises
    ------
    UsageError
        The experiment is wrong, or its data are missing.
    GcnetError
        Snakemake or the probe failed.
    """
    experiment = read_experiment(path, changes)
    check_data(experiment, path)
    plan = make_plan(experiment)
    pending = find_pending(plan, out, machine)
    print(pending.stats)
    waiting = [folder for folder in plan["training"] if folder in pending.trainings]
    if not waiting:
        return
    seconds = estimate(plan, waiting, machine)
    print(
        f"{len(waiting)} trainings, {machine.at_once} at once: about {_in_words(seconds)} "
        "(rendering, packing, baselines and pictures not counted)"
    )


def estimate(plan: Plan, waiting: Sequence[str], machine: Machine) -> float:
    """Return the seconds that trainings take, with their evaluation.

    Parameters
    ----------
    plan : Plan
    waiting : sequence of str
        Folders of the trainings, as the plan has them.
    machine : Machine
    """
    kinds = Counter(_kind(plan["training"][folder]) for folder in waiting)
    seconds = 0.0
    for kind, count in tqdm(kinds.items(), desc="probing", unit="net", disable=None):
        start, iteration, max_iter = _probe(kind, machine)
        # the training, the evaluation, and two short processes that write the net and the solver
        seconds += count * (2.5 * start + iteration * max_iter)
    return seconds / machine.at_once


class _Kind(NamedTuple):
    """What the time of a training depends on: all but the seed."""

    variant: str
    net: str
    solver: str
    engine: str


def _kind(job: Training) -> _Kind:
    solver = re.sub(r"--random-seed \d+", "", job["solver"]).strip()
    return _Kind(job["variant"], job["net"], solver, job["engine"])


def _probe(job: _Kind, machine: Machine) -> tuple[float, float, int]:
    """Train `job` for a few iterations; return (seconds to start, of an iteration, max_iter)."""
    # among the system's temporary files: after SIGKILL nothing is left among the user's
    with tempfile.TemporaryDirectory(prefix="gcnet-") as folder:
        scratch = Path(folder)
        env = {**environment(), **mounted(scratch), "OMP_NUM_THREADS": str(machine.threads)}
        data = scratch / "data"
        batch = _number(job.net, "--batch-size", NetOptions.batch_size)
        _write_data(data, job.variant, 2 * batch)
        trained = [ResultFolder(scratch / str(number)) for number in range(machine.at_once)]
        target = ["--variant", job.variant, "--name", "probe", "--data", str(data), "--short-names"]
        net = [*target, *shlex.split(job.net)]
        solver = [*target, *shlex.split(job.solver), *shlex.split(_SHORT)]
        slots = ["--gpu-slots", ",".join(map(str, machine.gpu_slots))] if machine.gpus else []
        train = ["train-folder", "--engine", job.engine, *slots]
        _run(job, env, [["make-net", "-o", str(each.path), *net] for each in trained])
        _run(job, env, [["make-solver", *_files(each), *solver] for each in trained])
        begin = time.monotonic()
        _run(job, env, [[*train, str(each.path)] for each in trained])
        wall = time.monotonic() - begin
        iteration = statistics.mean(_iteration_seconds(each.log) for each in trained)
        max_iter = _number(job.solver, "--max-iter", SolverOptions.max_iter)
        return max(0.0, wall - ITERATIONS * iteration), iteration, max_iter


def _number(flags: str, flag: str, default: int) -> int:
    """The value of an option, as a job has it."""
    found = re.search(rf"{flag} (\d+)", flags)
    return int(found[1]) if found else default


def _files(folder: ResultFolder) -> list[str]:
    """The options of make-solver for the files of a training."""
    prefix = str(folder.snapshots / "net")
    return ["-o", str(folder.path), "--net", str(folder.train_test), "--snapshot-prefix", prefix]


def _write_data(folder: Path, variant: str, count: int) -> None:
    """LMDBs of random images, as make-lmdb writes them."""
    rng = np.random.default_rng(0)
    channels = 1 if variant in PRETRAININGS else 2
    for name in ("train_lmdb", "test_lmdb"):
        folder.mkdir(exist_ok=True)
        with LmdbWriter(folder / name) as writer:
            for index in range(count):
                pixels = rng.integers(0, 256, (channels, SIZE, SIZE), np.uint8)
                datum = caffe_pb.Datum(channels=channels, height=SIZE, width=SIZE, label=index % 2)
                datum.data = pixels.tobytes()
                writer.put(f"{index:08d}", datum.SerializeToString())


def _run(job: _Kind, env: dict[str, str], commands: Sequence[Sequence[str]]) -> None:
    """Run commands of `gcnet` at the same time, each to its end."""
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    gcnet = [sys.executable, "-m", "gcnet_caffe.cli"]
    with contextlib.ExitStack() as stack:
        processes = [
            ends_with_parent.start(stack, [*gcnet, *words], env=env, **pipes) for words in commands
        ]
        for process in processes:
            error = process.communicate()[1]
            if process.returncode:
                raise GcnetError(f"the probe of {job.variant} failed: {error.strip()[-300:]}")


def _iteration_seconds(log: Path) -> float:
    """Median seconds of an iteration, from the log's times."""
    found = display_times(log.read_text())[_WARM:]
    times = [datetime.datetime.strptime(text, "%H:%M:%S.%f") for text in found]
    gaps = [(after - before).total_seconds() for before, after in zip(times, times[1:])]
    return statistics.median(gap % 86400 for gap in gaps)


def _in_words(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{max(minutes, 1)} min"
