"""Why jobs of a run failed: one line in the folder of each, taken from the logs of its rules."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from gcnet_caffe import files
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.experiment.plan import Plan

#: The paths of a plan are relative to the folder of its run.
_RUN = RunFolder(Path())
_RULES = ("evaluate", "train", "solver", "net")


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
    sequences = [
        str(_RUN.sequences(variant).path) for variant in plan.get("sequences", {}).get("nets", ())
    ]
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
    found = [logs / folder / f"{rule}.log" for rule in (*_RULES, "baseline")]
    found += [logs / f"{folder}.log"]
    if folder in plan["training"]:
        for weights in plan["training"][folder]["weights"]:
            found.append(logs / Path(weights).parent / "train.log")
    found += [logs / "pairs.log", logs / "identity.log"]
    found += sorted(logs.glob("manifests/*.log")) + sorted(logs.glob("faces/*.log"))
    for log in found:
        if log.is_file() and (error := _error(log)):
            return error
    return "not run"


def _error(log: Path) -> str:
    """The last error that a verb wrote, or the last line of a process that died without one."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line.split(": error: ", 1)[1] for line in lines if ": error: " in line]
    if errors:
        return errors[-1]
    died = [line for line in lines if line.startswith(("Killed", "Segmentation", "MemoryError"))]
    return died[-1] if died else ""
