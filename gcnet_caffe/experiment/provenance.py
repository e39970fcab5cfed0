"""How a run was made: versions, commit, machine, time, and the commands it ran."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

from gcnet_caffe import __version__, files
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.experiment.snakemake import Machine

_PACKAGES = "torch numpy opencv-python-headless lmdb protobuf scikit-image".split()
_PACKAGES += "scikit-learn snakemake matplotlib".split()


def write_provenance(out: str | Path, start: float, machine: Machine) -> None:
    """Write provenance.json of a run.

    Where a run was interrupted and continued, the seconds are added up and the commits listed.

    Parameters
    ----------
    out : path
        Folder of the run.
    start : float
        When this part of the run started, in seconds since the epoch.
    machine : Machine
    """
    folder = RunFolder(Path(out))
    before = folder.provenance()
    started = datetime.datetime.fromtimestamp(start).astimezone().isoformat(timespec="seconds")
    facts = {
        "versions": _versions(),
        "git_commit": _added(before.get("git_commit", ""), _commit()),
        "command": shlex.join(["gcnet", *sys.argv[1:]]),
        "machine": f"{platform.machine()}, {machine.cores} cores, {machine.threads} threads per job"
        + (f", GPUs {', '.join(map(str, machine.gpus))}" if machine.gpus else ""),
        "precision": machine.options.precision + (", CUDA graphs" * machine.options.cuda_graphs),
        "started": before.get("started", started),
        "seconds": round(before.get("seconds", 0) + time.time() - start, 1),
        "commands": _commands(folder),
    }
    files.write_text(folder.provenance_file, json.dumps(facts, indent=1) + "\n")


def _added(commits: str, commit: str) -> str:
    return ", ".join(dict.fromkeys(filter(None, [*commits.split(", "), commit])))


def _versions() -> dict[str, str]:
    found = {"gcnet-caffe": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _commit() -> str:
    """The checkout's commit, with a plus where files were changed; empty outside a checkout."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return ""

    command = ["git", "-C", str(root), "describe", "--always", "--abbrev=12", "--dirty=+"]
    try:
        found = subprocess.run([*command, "--exclude=*"], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return found.stdout.strip()


def _commands(run: RunFolder) -> list[str]:
    """The shell commands that Snakemake printed, in order, each once."""
    log = run.snakemake_log
    if not log.is_file():
        return []
    text = log.read_text(errors="replace")
    found = re.findall(r"^Shell command: (?!None$)(.*)$|^\s*(gcnet .*)$", text, re.M)
    commands = (re.sub(r" 2> \S+$", "", shown or plain) for shown, plain in found)
    return list(
        dict.fromkeys(command.replace(os.path.abspath(run.path), ".") for command in commands)
    )
