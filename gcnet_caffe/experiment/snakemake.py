"""Snakemake as a subprocess: its command line, its environment, and what it would do."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from gcnet_caffe import lifeline
from gcnet_caffe.errors import GcnetError, UsageError

SNAKEFILE = Path(__file__).parent / "workflow" / "Snakefile"


class Machine(NamedTuple):
    """What the jobs may use.

    Attributes
    ----------
    cores : int
        Processors of this machine; with a profile, jobs at once.
    threads : int
        Processors of one training.
    gpus : tuple of int
        GPU numbers; none is the CPU.
    per_gpu : int
        Trainings at once on one GPU.
    profile : str
        Folder of a Snakemake profile, for clusters.
    more : tuple of str
        Further words for Snakemake.
    """

    cores: int
    threads: int = 1
    gpus: tuple = ()
    per_gpu: int = 1
    profile: str = ""
    more: tuple = ()

    @property
    def gpu_slots(self):
        """The GPU number of each training that may run at once."""
        return [gpu for gpu in self.gpus for _ in range(self.per_gpu)]

    @property
    def at_once(self):
        """How many trainings run at once."""
        return len(self.gpu_slots) or max(1, self.cores // self.threads)


def snakemake_command(out, machine, *words):
    """Return the words that run the workflow in `out`."""
    command = [
        sys.executable,
        "-m",
        "gcnet_caffe.experiment.workflow",
        "--snakefile",
        str(SNAKEFILE),
    ]
    command += ["--directory", str(out), "--rerun-incomplete", "--nolock"]
    workers = 1 if machine.profile else machine.cores  # a profile's set-threads gives more
    slots = [f"gpu_slots={','.join(map(str, machine.gpu_slots))}"] if machine.gpus else []
    command += ["--config", f"threads={machine.threads}", f"workers={workers}", *slots]
    # By default every start of a job has Snakemake solve the schedule each second, from then on.
    command += ["--max-jobs-per-timespan", "6000/60s"]
    if machine.gpus:
        command += ["--resources", f"gpu={len(machine.gpu_slots)}"]
    if machine.profile:
        command += [
            "--profile",
            str(Path(machine.profile).absolute()),
            "--jobs",
            str(machine.cores),
        ]
    else:
        command += ["--cores", str(machine.cores)]
    return [*command, *machine.more, *words]


def environment():
    """The jobs' environment: this Python's `gcnet` first on PATH, tied to this process."""
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    return {**os.environ, "PATH": path, **lifeline.offer()}


class Pending(NamedTuple):
    """What is to do: Snakemake's table of it, the folders to be trained, and to be evaluated."""

    stats: str
    trainings: set
    folders: set


def find_pending(plan, out, machine):
    """Return the `Pending` jobs of `plan` in the folder `out`, which need not exist.

    Raises
    ------
    GcnetError
        Snakemake finds a file missing that no job makes.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "plan.json"
        path.write_text(json.dumps(plan))
        folder = out if Path(out).is_dir() else scratch
        command = snakemake_command(folder, machine, "--dry-run")
        command.insert(command.index("--config") + 1, f"plan={path}")
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


def need_snakemake():
    """Raise a UsageError that says how to get what `gcnet run` needs, where any is missing."""
    for name in ("snakemake", "yaml", "jsonschema", "rich", "tensorboardX", "jinja2", "sklearn"):
        if not importlib.util.find_spec(name):
            raise UsageError(f"gcnet run needs {name}: pip install 'gcnet-caffe[experiment]'")
