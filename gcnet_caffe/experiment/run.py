"""`gcnet run`: from an experiment's YAML file to its tables, through Snakemake.

Everything is in the folder of the run (see `evaluation.run_folder`); what is finished is not done
again. Snakemake starts the jobs. This module starts Snakemake, shows the progress, collects what
failed, and writes the summary and the report.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gcnet_caffe import files
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.experiment.config import check_data, read_experiment
from gcnet_caffe.experiment.failures import mark_failures
from gcnet_caffe.experiment.monitor import Monitor
from gcnet_caffe.experiment.plan import Plan, is_synthetic, make_plan
from gcnet_caffe.experiment.provenance import write_provenance
from gcnet_caffe.experiment.settings import trained
from gcnet_caffe.experiment.snakemake import (
    Machine,
    environment,
    find_pending,
    snakemake_command,
)

if TYPE_CHECKING:
    from gcnet_caffe.evaluation.summary import Results


def _write_plan(run_folder: RunFolder, experiment: Mapping[str, Any], plan: Plan) -> None:
    """Write the plan, and the experiment with every default filled in."""
    resolved = {
        **experiment,
        "synthetic": is_synthetic(experiment),
        "folds": plan["folds"],
        "settings": list(dict.fromkeys(name for name, _, _ in trained(experiment))),
        "nets": [[name, variant] for name, _, variant in trained(experiment)],
    }
    files.write_text(run_folder.experiment_file, yaml.safe_dump(resolved, sort_keys=False))
    files.write_text(run_folder.plan_file, json.dumps(plan, indent=1) + "\n")


def run(
    path: str | Path, out: str | Path, machine: Machine, changes: Sequence[str] = ()
) -> tuple[Results, dict[str, str]]:
    """Run an experiment, or continue its run.

    Parameters
    ----------
    path : path
        The experiment's YAML file.
    out : path
        Folder of the run.
    machine : Machine
    changes : sequence of str
        ``KEY=VALUE``, see `config.read_experiment`.

    Returns
    -------
    results : dict
        What results.json has (see `evaluation.summary`), with gaps where jobs failed.
    failed : dict
        Folder of each job without a result -> the reason.

    Raises
    ------
    UsageError
        The experiment or `machine` is wrong, data are missing, or `out` is the folder of something
        else.
    GcnetError
        Snakemake failed, or another `gcnet run` uses the folder.
    """
    out = Path(out)
    experiment = read_experiment(path, changes)
    check_data(experiment, path)
    plan = make_plan(experiment)
    machine.check(plan)
    if out.exists() and not RunFolder(out).plan_file.is_file() and any(out.iterdir()):
        raise UsageError(f"{out}: exists, and is not the folder of a run; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    with files.alone(out / ".lock", GcnetError(f"{out}: another `gcnet run` is running here")):
        _write_plan(RunFolder(out), experiment, plan)
        start = time.time()
        pending = find_pending(plan, out, machine).folders
        if pending:
            done = _snakemake(out, plan, machine, pending)
            pending = set() if done else find_pending(plan, out, machine).folders
        failed = mark_failures(out, plan, pending)
        write_provenance(out, start, machine)
        return _summarize(out), failed


def _summarize(out: Path) -> Results:
    """Write the results and the report of what is done; return the results."""
    from gcnet_caffe.evaluation.results_table import write_results
    from gcnet_caffe.evaluation.summary import summarize
    from gcnet_caffe.report import write_report

    results = summarize(out)
    write_results(results, out)
    write_report([str(out)])
    return results


def _snakemake(out: Path, plan: Plan, machine: Machine, waiting: Collection[str]) -> bool:
    """Run the workflow, and show the progress of the trainings `waiting`.

    Returns
    -------
    bool
        Whether all is done, for certain: the user's own options may leave jobs out.
    """
    log = RunFolder(out).snakemake_log
    log.parent.mkdir(exist_ok=True)
    command = snakemake_command(out, machine, "--keep-going", "--printshellcmds")
    with open(log, "a", encoding="utf-8") as stream:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )
        with _stopped_with_us(process), Monitor(out, plan, waiting) as monitor:
            while process.poll() is None:
                monitor.update()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(1)
            monitor.update()
    _refuse_a_broken_plan(log, process.returncode)
    return process.returncode == 0 and not machine.more and not machine.profile


def _refuse_a_broken_plan(log: Path, status: int) -> None:
    """Raise a GcnetError if Snakemake stopped before it ran any job."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if status and "At least one job did not complete" not in text:
        lines = text.strip().splitlines() or [f"exit status {status}"]
        raise GcnetError(f"Snakemake stopped: {lines[-1]} ({log})")


@contextlib.contextmanager
def _stopped_with_us(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """On Ctrl-C and errors, stop Snakemake and all of its jobs; the next run continues them."""
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
