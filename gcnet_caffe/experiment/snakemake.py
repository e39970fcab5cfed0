"""Snakemake as a subprocess: its command line, its environment, and what it would do."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from gcnet_caffe import ends_with_parent
from gcnet_caffe.engine import import_torch
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.errors import GcnetError, UsageError, check_python, extra
from gcnet_caffe.experiment.plan import Plan
from gcnet_caffe.experiment.training import training_flags

SNAKEFILE = Path(__file__).parent / "workflow" / "Snakefile"
#: What a run needs, beside the engine.
_LIBRARIES = ("snakemake", "yaml", "jsonschema", "tensorboardX", "jinja2", "sklearn")


class Machine(NamedTuple):
    """What the jobs may use.

    Attributes
    ----------
    cores : int
        Processors of this machine; with a profile, the number of jobs at the same time.
    threads : int
        Processors of one training.
    gpus : tuple of int
        GPU numbers; none is the CPU.
    per_gpu : int
        Trainings at the same time per GPU.
    profile : str
        Folder of a Snakemake profile, for clusters.
    more : tuple of str
        Further words for Snakemake.
    options : EngineOptions
        How the torch engine trains: its `precision` and `cuda_graphs`.
    """

    cores: int
    threads: int = 1
    gpus: tuple[int, ...] = ()
    per_gpu: int = 1
    profile: str = ""
    more: tuple[str, ...] = ()
    options: EngineOptions = EngineOptions()

    @property
    def gpu_slots(self) -> list[int]:
        """The GPU number of each training that may run at once."""
        return [gpu for gpu in self.gpus for _ in range(self.per_gpu)]

    @property
    def at_once(self) -> int:
        """How many trainings run at the same time."""
        return len(self.gpu_slots) or max(1, self.cores // self.threads)

    def check(self, plan: Plan) -> None:
        """Check that the trainings of a plan can have the options of the engine.

        Raises
        ------
        UsageError
            They are trained in real Caffe, in turns, or not on a GPU.
        """
        words, jobs = training_flags(self.options), plan["training"].values()
        if words and any(job["engine"] != "torch" for job in jobs):
            raise UsageError(f"{words}: found engine: caffe in the experiment, wanted torch")
        if self.options.cuda_graphs and any("--generator dcgan" in job["net"] for job in jobs):
            raise UsageError("--cuda-graphs: cannot be used with generator: dcgan, of two solvers")
        if (self.options.cuda_graphs or self.options.precision == "tf32") and not self.gpus:
            raise UsageError(f"{words}: wanted GPUs, give -gpu")
        if self.options.cuda_graphs and not self.profile:  # else other machines train
            import_torch("--cuda-graphs")
            from gcnet_caffe.engine.device import choose_device

            choose_device(max(self.gpus))


def snakemake_command(
    out: str | Path, machine: Machine, *words: str, **config: object
) -> list[str]:
    """Return the command that runs the workflow in `out`; `words` are further options."""
    config["threads"] = machine.threads
    config["workers"] = 1 if machine.profile else machine.cores  # set-threads gives more
    resources, jobs = [], ["--cores", str(machine.cores)]
    if training_flags(machine.options):
        config["training"] = training_flags(machine.options)
    if machine.gpus:
        config["gpu_slots"] = ",".join(map(str, machine.gpu_slots))
        resources = ["--resources", f"gpu={len(machine.gpu_slots)}"]
    if machine.profile:
        profile = str(Path(machine.profile).absolute())
        jobs = ["--profile", profile, "--jobs", str(machine.cores)]
    command = [sys.executable, "-m", "gcnet_caffe.experiment.workflow"]
    command += ["--snakefile", str(SNAKEFILE), "--directory", str(out)]
    command += ["--rerun-incomplete", "--nolock"]
    # By default every start of a job has Snakemake solve the schedule each second, from then on.
    command += ["--max-jobs-per-timespan", "6000/60s"]
    command += ["--config", *(f"{name}={value}" for name, value in config.items())]
    return [*command, *resources, *jobs, *machine.more, *words]


def environment() -> dict[str, str]:
    """Return the jobs' environment: this Python's `gcnet` first on PATH, tied to this process."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, **ends_with_parent.offer()}


class Pending(NamedTuple):
    """What is left to do.

    Attributes
    ----------
    stats : str
        Snakemake's table of it.
    trainings : set of str
        Folders to be trained.
    folders : set of str
        Folders to be evaluated.
    """

    stats: str
    trainings: set[str]
    folders: set[str]


def find_pending(plan: Plan, out: str | Path, machine: Machine) -> Pending:
    """Return the jobs that are left to do.

    Parameters
    ----------
    plan : Plan
    out : path
        Folder of the run; it need not exist.
    machine : Machine

    Raises
    ------
    GcnetError
        Snakemake finds a file missing that no job makes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "plan.json"
        path.write_text(json.dumps(plan))
        folder = out if Path(out).is_dir() else scratch
        command = snakemake_command(folder, machine, "--dry-run", plan=path)
        found = subprocess.run(command, env=environment(), capture_output=True, text=True)
    text = found.stdout + found.stderr
    if found.returncode:
        raise GcnetError(f"Snakemake cannot plan this: {' '.join(text.split())[-300:]}")
    if "Job stats:" not in text:
        return Pending("Nothing to do.", set(), set())
    return Pending(
        text.split("Job stats:\n", 1)[1].split("\n\n", 1)[0],
        set(re.findall(r"output: (\S+)/weights\.caffemodel", text)),
        set(re.findall(r"output: (\S+)/(?:evaluation\.json|predictions\.csv)", text)),
    )


def need_snakemake(what: str = "gcnet run") -> None:
    """Check that all that runs an experiment is installed.

    Parameters
    ----------
    what : str
        The command that needs it: the first words of the message.

    Raises
    ------
    UsageError
        This Python is older than Snakemake supports, or a library of the extra `experiment` is
        missing.
    """
    check_python("experiment", what)
    with extra("experiment", what):
        for name in _LIBRARIES:
            if not importlib.util.find_spec(name):
                raise ModuleNotFoundError(name=name)
