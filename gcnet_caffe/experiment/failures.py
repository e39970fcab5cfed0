"""Why jobs of a run failed: one line in the folder of each, taken from the logs of its rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from gcnet_caffe import files
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.experiment.plan import Plan

#: The paths of a plan are relative to the folder of its run.
_RUN = RunFolder(Path())
_RULES = ("evaluate", "train", "solver", "net", "baseline")
_DIED = "^(?:Killed|Segmentation|MemoryError).*"


def mark_failures(out: Path, plan: Plan, pending: Collection[str]) -> dict[str, str]:
    """Write ``failed.txt`` into the folders `pending`, and remove it from the others.

    Parameters
    ----------
    out : Path
        Folder of the run.
    plan : Plan
    pending : collection of str
        Folders that have no result, as the plan has them.

    Returns
    -------
    dict
        Folder -> reason.
    """
    failed: dict[str, str] = {}
    nets = plan.get("sequences", {}).get("nets", ())
    sequences = [str(_RUN.at(folder).every_frame.path) for folder in nets]
    for folder in [*plan["training"], *plan["baselines"], *sequences]:
        mark = RunFolder(out).at(folder).failed
        if folder not in pending:
            mark.unlink(missing_ok=True)
            continue
        failed[folder] = _reason(RunFolder(out).logs, plan, folder)
        files.write_text(mark, failed[folder] + "\n")
    return failed


def _reason(logs: Path, plan: Plan, folder: str) -> str:
    """The error of the job's own rules, else of the jobs that it needs."""
    names = [*(f"{folder}/{rule}" for rule in _RULES), folder]
    names += [f"{before}/train" for before in _needed(plan, folder)]
    names += ["pairs", "identity", "start", "manifests/*", "faces/*"]
    found = [log for name in names for log in sorted(logs.glob(f"{name}.log"))]
    return next(filter(None, map(_error, found)), "not run")


def _needed(plan: Plan, folder: str) -> Iterator[str]:
    """The trainings whose weights a training starts from, and those that these start from."""
    for path in plan["training"][folder]["weights"] if folder in plan["training"] else ():
        before = str(Path(path).parent)
        yield before
        yield from _needed(plan, before)


def _error(log: Path) -> str:
    """The last error that a verb wrote, or the last line of a process that died without one."""
    text = log.read_text(errors="replace")
    found = re.findall(r": error: (.*)", text) or re.findall(_DIED, text, re.M)
    return found[-1] if found else ""
