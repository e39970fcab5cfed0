"""Why jobs of a run are missing: from the logs of their rules to one line in their folder."""

from pathlib import Path

from gcnet_caffe import files

_FAILED = "failed.txt"
_RULES = ("evaluate", "train", "solver", "net")


def mark_failures(out, plan, pending):
    """Write ``failed.txt`` into the folders `pending`, and remove it from the others.

    Returns
    -------
    dict
        Folder -> reason.
    """
    out, failed = Path(out), {}
    sequences = [f"sequences/{variant}" for variant in plan.get("sequences", {}).get("nets", ())]
    for folder in [*plan["training"], *plan["baselines"], *sequences]:
        mark = out / folder / _FAILED
        if folder not in pending:
            mark.unlink(missing_ok=True)
            continue
        failed[folder] = _reason(out, plan, folder)
        files.write_text(mark, failed[folder] + "\n")
    return failed


def _reason(out, plan, folder):
    """The error of the job's own rules, else of what it waits for."""
    logs = [out / "logs" / folder / f"{rule}.log" for rule in (*_RULES, "baseline")]
    logs += [out / "logs" / f"{folder}.log"]
    training = plan["training"].get(folder, {})
    for weights in training.get("weights", ()):
        logs.append(out / "logs" / Path(weights).parent / "train.log")
    logs += [out / "logs/pairs.log", out / "logs/identity.log"]
    logs += sorted((out / "logs").glob("manifests/*.log")) + sorted(
        (out / "logs").glob("faces/*.log")
    )
    for log in logs:
        if log.is_file() and (error := _error(log)):
            return error
    return "not run"


def _error(log):
    """The last error that a verb wrote, or the last line of a process that died without one."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    errors = [line.split(": error: ", 1)[1] for line in lines if ": error: " in line]
    if errors:
        return errors[-1]
    died = [line for line in lines if line.startswith(("Killed", "Segmentation", "MemoryError"))]
    return died[-1] if died else ""
