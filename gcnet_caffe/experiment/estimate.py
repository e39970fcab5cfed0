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

from gcnet_caffe import files, lifeline
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.run_folder import ResultFolder
from gcnet_caffe.experiment.config import check_data, read_experiment
from gcnet_caffe.experiment.plan import Plan, Training, make_plan
from gcnet_caffe.experiment.snakemake import Machine, environment, find_pending
from gcnet_caffe.faces.align import SIZE
from gcnet_caffe.formats import caffe_pb, read_solver
from gcnet_caffe.formats.lmdb_file import LmdbWriter
from gcnet_caffe.formats.log import display_times
from gcnet_caffe.nets.pretrain import PRETRAININGS
from gcnet_caffe.real_caffe.tool import mounted

ITERATIONS = 20
_WARM = 5  # iterations left out of the measurement


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
    with contextlib.ExitStack() as stack:
        # among the system's temporary files: after SIGKILL nothing is left among the user's
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gcnet-")))
        batch = int((re.findall(r"--batch-size (\d+)", job.net) or [64])[0])
        _write_data(scratch / "data", job.variant, 2 * batch)
        folders = [scratch / str(number) for number in range(machine.at_once)]
        for folder in folders:
            max_iter = _write_net(folder, job, scratch / "data")
        begin = time.monotonic()
        words = [sys.executable, "-m", "gcnet_caffe.cli", "train-folder", "--engine", job.engine]
        env = {**environment(), **mounted(scratch), "OMP_NUM_THREADS": str(machine.threads)}
        if machine.gpus:
            words += ["--gpu-slots", ",".join(map(str, machine.gpu_slots))]
        pipe = {"stderr": subprocess.PIPE, "text": True}
        processes = [
            lifeline.start(stack, [*words, str(folder)], env=env, **pipe) for folder in folders
        ]
        errors = [process.communicate()[1] for process in processes]
        if any(process.returncode for process in processes):
            raise GcnetError(f"the probe of {job.variant} failed: {errors[0].strip()[-300:]}")
        wall = time.monotonic() - begin
        iteration = statistics.mean(
            _iteration_seconds(ResultFolder(folder).log) for folder in folders
        )
        return max(0.0, wall - ITERATIONS * iteration), iteration, max_iter


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


def _write_net(folder: Path, job: _Kind, data: Path) -> int:
    """Write the net and a solver of a few iterations; return the iterations of the real one."""
    target = f"--variant {job.variant} --name probe --data {data} --short-names -o {folder}"
    solver = f"{target} --net {folder}/train_test.prototxt --snapshot-prefix {folder}/snapshots/net"
    _gcnet(f"make-net {target} {job.net}")
    _gcnet(f"make-solver {solver} {job.solver}")
    max_iter = read_solver(folder / "solver.prototxt").max_iter
    for path in folder.glob("*solver.prototxt"):
        text = path.read_text()
        for field, value in (("max_iter", ITERATIONS), ("display", 1), ("snapshot", ITERATIONS)):
            text = re.sub(rf"^{field}: .*$", f"{field}: {value}", text, flags=re.M)
        text = re.sub(r"^test_interval: .*$", "test_interval: 1000000", text, flags=re.M)
        files.write_text(path, text)
    return max_iter


def _gcnet(line: str) -> None:
    command = [sys.executable, "-m", "gcnet_caffe.cli", *shlex.split(line)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with contextlib.ExitStack() as stack:
        process = lifeline.start(stack, command, **pipes)
        error = process.communicate()[1]
    if process.returncode:
        raise GcnetError(f"the probe stopped: {error.strip()[-300:]}")


def _iteration_seconds(log: Path) -> float:
    """Median seconds of an iteration, from the log's times."""
    found = display_times(log.read_text())[_WARM:]
    times = [datetime.datetime.strptime(text, "%H:%M:%S.%f") for text in found]
    gaps = [(after - before).total_seconds() for before, after in zip(times, times[1:])]
    return statistics.median(gap % 86400 for gap in gaps)


def _in_words(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{max(minutes, 1)} min"
