"""`gcnet run --dry-run`: which jobs are left, and how long they take.

A probe trains each kind of network for a few iterations on random images, as many at the same time
as the run will, and measures how long the start and an iteration take.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
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
from gcnet_caffe.experiment.training import training_flags
from gcnet_caffe.faces.align import SIZE
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbWriter
from gcnet_caffe.formats.log import display_times
from gcnet_caffe.nets import NetOptions, SolverOptions
from gcnet_caffe.nets.pretrain import PRETRAININGS
from gcnet_caffe.real_caffe.tool import mounted

#: Iterations of a probe, and how many of them, besides the first, are not measured.
_ON_CPU, _ON_GPU = (3, 0), (20, 5)  # a GPU's first ones load kernels and capture graphs
#: Options of a net whose values do not change its time; 0 does, it leaves out a layer.
_WEIGHTS = re.compile(
    r"--(lambda-\w+|margin|decoder-lr-mult|moving-average-fraction) (?!0(\.0*)?( |$))\S+"
)
#: The options of a solver that change the time of an iteration.
_RULE = r"--(?:type|clip-gradients) \S+"


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
        The experiment or `machine` is wrong, or its data are missing.
    GcnetError
        Snakemake or the probe failed.
    """
    experiment = read_experiment(path, changes)
    check_data(experiment, path)
    plan = make_plan(experiment)
    machine.check(plan)
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
    jobs = [plan["training"][folder] for folder in waiting]
    kinds = {kind_of(job): job for job in jobs}
    start, iterations = _probe(list(kinds.values()), machine)
    iteration = dict(zip(kinds, iterations))
    seconds = 0.0
    for job in jobs:
        max_iter = _number(job["solver"], "--max-iter", SolverOptions.max_iter)
        # the training, the evaluation, and two short processes that write the net and the solver
        seconds += 2.5 * start + iteration[kind_of(job)] * max_iter
    return seconds / machine.at_once


class Kind(NamedTuple):
    """What the time of an iteration depends on.

    Attributes
    ----------
    variant, engine : str
    net, rule : str
        Options of make-net and make-solver.
    """

    variant: str
    net: str
    rule: str
    engine: str


def kind_of(job: Training) -> Kind:
    """Return the kind of net that a training has: those of one kind are probed once."""
    net = " ".join(_WEIGHTS.sub("", job["net"]).split())
    return Kind(job["variant"], net, " ".join(re.findall(_RULE, job["solver"])), job["engine"])


def _probe(jobs: Sequence[Training], machine: Machine) -> tuple[float, list[float]]:
    """Train `jobs` for a few iterations; return the seconds to start, and of an iteration of each.

    As many processes as the run has at the same time do that, each one job after another.
    """
    length, warm = _ON_GPU if machine.gpus else _ON_CPU
    # among the system's temporary files: after SIGKILL nothing is left among the user's
    with tempfile.TemporaryDirectory(prefix="gcnet-") as folder:
        scratch = Path(folder)
        env = {**environment(), **mounted(scratch), "OMP_NUM_THREADS": str(machine.threads)}
        slots: list[list[ResultFolder]] = []
        for place in range(machine.at_once):
            names = (f"{place}-{number}-{job['variant']}" for number, job in enumerate(jobs))
            slots.append([ResultFolder(scratch / name) for name in names])
        datas = [scratch / f"data-{number}" for number in range(len(jobs))]
        for job, data in zip(jobs, datas):
            batch = _number(job["net"], "--batch-size", NetOptions.batch_size)
            _write_data(data, job["variant"], 2 * batch)
        begin = time.monotonic()
        processes = [
            [_verbs(*each, machine, length) for each in zip(jobs, datas, folders)]
            for folders in slots
        ]
        ended = _run(env, processes)
        seconds = [[_iteration_seconds(each.log, warm) for each in folders] for folders in slots]
        iterations = list(map(statistics.mean, zip(*seconds)))
        # a process imports with its first job what a training's process imports
        start = statistics.mean(ended[0]) - begin - length * iterations[0]
        return max(0.0, start), iterations


def _verbs(
    job: Training, data: Path, folder: ResultFolder, machine: Machine, length: int
) -> list[list[str]]:
    """The three verbs that train a job for `length` iterations."""
    target = ["--variant", job["variant"], "--name", "probe", "--data", str(data), "--short-names"]
    target += ["-o", str(folder.path)]
    prefix = str(folder.snapshots / "net")
    files = ["--net", str(folder.train_test), "--snapshot-prefix", prefix]
    more = shlex.split(training_flags(machine.options))
    short = f"--max-iter {length} --snapshot {length} --display 1 --test-interval 1000000"
    slots = ["--gpu-slots", ",".join(map(str, machine.gpu_slots))] if machine.gpus else []
    return [
        ["make-net", *target, *shlex.split(job["net"])],
        ["make-solver", *target, *files, *shlex.split(job["solver"]), *shlex.split(short)],
        ["train-folder", str(folder.path), "--engine", job["engine"], *slots, *more],
    ]


def _number(flags: str, flag: str, default: int) -> int:
    """The value of an option, as a job has it."""
    found = re.search(rf"{flag} (\d+)", flags)
    return int(found[1]) if found else default


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


def _run(
    env: dict[str, str], processes: Sequence[Sequence[Sequence[Sequence[str]]]]
) -> list[list[float]]:
    """Run the jobs, lists of verbs, of each of some processes; return when each job ended.

    Returns
    -------
    list of list of float
        A list per job, a number per process: seconds of the monotonic clock.
    """
    command = [sys.executable, "-m", "gcnet_caffe.cli._one_after_another"]
    with contextlib.ExitStack() as stack:
        started, said = [], []
        for jobs in processes:
            given, errors = (stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(2))
            given.write(json.dumps(jobs))
            given.seek(0)
            pipes = {"stdin": given, "stdout": subprocess.PIPE, "stderr": errors, "text": True}
            started.append(ends_with_parent.start(stack, command, env=env, **pipes))
            said.append(errors)
        lines = zip(*(process.stdout or () for process in started))
        bar = tqdm(lines, "probing", len(processes[0]), unit="net", disable=None)
        ended = [list(map(float, each)) for each in bar]
        for process, errors in zip(started, said):
            if process.wait():
                errors.seek(0)
                raise GcnetError(f"a probe failed: {errors.read().strip()[-300:]}")
        return ended


def _iteration_seconds(log: Path, warm: int) -> float:
    """Median seconds of an iteration, from the log's times but the first `warm`."""
    found = display_times(log.read_text())[warm:]
    times = [datetime.datetime.strptime(text, "%H:%M:%S.%f") for text in found]
    gaps = [(after - before).total_seconds() for before, after in zip(times, times[1:])]
    return statistics.median(gap % 86400 for gap in gaps)


def _in_words(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{max(minutes, 1)} min"
