"""`gcnet run`: from an experiment's YAML to its tables, through Snakemake.

The folder of the run holds everything (see `plan`); what is finished is not done again. Snakemake
starts the jobs; this module starts Snakemake, shows how far they are, says what failed, and writes
the summary and the report of what there is.
"""

import contextlib
import json
import os
import signal
import subprocess
from pathlib import Path

import yaml

from gcnet_caffe import files
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.experiment.config import check_data, read_experiment
from gcnet_caffe.experiment.failures import mark_failures
from gcnet_caffe.experiment.monitor import Monitor
from gcnet_caffe.experiment.plan import is_synthetic, make_plan
from gcnet_caffe.experiment.provenance import Stopwatch, write_provenance
from gcnet_caffe.experiment.settings import trained
from gcnet_caffe.experiment.snakemake import (
    environment,
    find_pending,
    snakemake_command,
)

PLAN, EXPERIMENT = "plan.json", "experiment.yaml"
_SNAKEMAKE_LOG = "logs/snakemake.log"


def _write_plan(out, experiment, plan):
    """Write the plan, and the experiment with all that was left out in it filled in."""
    resolved = {
        **experiment,
        "synthetic": is_synthetic(experiment),
        "folds": plan["folds"],
        "settings": list(dict.fromkeys(name for name, _, _ in trained(experiment))),
        "nets": [[name, variant] for name, _, variant in trained(experiment)],
    }
    files.write_text(out / EXPERIMENT, yaml.safe_dump(resolved, sort_keys=False))
    files.write_text(out / PLAN, json.dumps(plan, indent=1) + "\n")


def run(path, out, machine, changes=()):
    """Run the experiment at `path` in the folder `out`, or go on with it.

    Returns
    -------
    results : dict
        results.json, with holes where jobs failed.
    failed : dict
        Folder of each job without a result -> why.
    """
    out = Path(out)
    experiment = read_experiment(path, changes)
    check_data(experiment, path)
    plan = make_plan(experiment)
    if out.exists() and not (out / PLAN).is_file() and any(out.iterdir()):
        raise UsageError(f"{out}: exists, and is no run of an experiment; give another folder")
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        _write_plan(out, experiment, plan)
        watch = Stopwatch()
        pending = find_pending(plan, out, machine)
        if pending.folders:
            _snakemake(out, plan, machine, pending.folders)
        failed = mark_failures(out, plan, find_pending(plan, out, machine).folders)
        write_provenance(out, watch, machine)
        return _summarize(out), failed


def _summarize(out):
    """Write the results and the report of what there is; return the results."""
    from gcnet_caffe.evaluation.results_table import write_results
    from gcnet_caffe.evaluation.summary import summarize
    from gcnet_caffe.report import write_report

    results = summarize(out)
    write_results(results, out)
    write_report([str(out)])
    return results


def _snakemake(out, plan, machine, waiting):
    """Run the workflow, showing how far the trainings `waiting` are."""
    log = Path(out) / _SNAKEMAKE_LOG
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


def _refuse_a_broken_plan(log, status):
    """Raise a GcnetError where Snakemake stopped before it ran any job."""
    text = log.read_text(encoding="utf-8", errors="replace")
    if status and "At least one job did not complete" not in text:
        lines = text.strip().splitlines() or [f"exit status {status}"]
        raise GcnetError(f"Snakemake stopped: {lines[-1]} ({log})")


@contextlib.contextmanager
def _stopped_with_us(process):
    """On Ctrl-C and errors, stop Snakemake and all of its jobs; they go on in the next run."""
    try:
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


@contextlib.contextmanager
def _alone(out):
    with files.locked(Path(out) / ".lock") as ours:
        if not ours:
            raise GcnetError(f"{out}: another `gcnet run` is at work here")
        yield
