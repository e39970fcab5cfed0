"""`gcnet demo`: a small experiment on synthetic faces, run as `gcnet run` runs any other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.experiment.run import run
from gcnet_caffe.experiment.snakemake import Machine

if TYPE_CHECKING:
    from gcnet_caffe.evaluation.summary import FoldScores

EXPERIMENT = Path(__file__).parent / "demo.yaml"


def run_demo(out: str | Path, machine: Machine, changes: Sequence[str] = ()) -> FoldScores:
    """Run the experiment `EXPERIMENT` in the folder `out`, or continue it.

    Parameters
    ----------
    out : path
        Folder of the run.
    machine : Machine
    changes : sequence of str
        ``KEY=VALUE``, as `gcnet run --set` takes them.

    Returns
    -------
    dict
        What `evaluation.summary` collects of one fold: ``images``, ``accuracy``, ``chance``,
        ``generated_reference``, ``folder``, ...

    Raises
    ------
    UsageError
        `out` is the folder of something else.
    GcnetError
        A job failed.
    """
    results, failed = run(EXPERIMENT, out, machine, changes)
    if failed:
        name, reason = next(iter(failed.items()))
        raise GcnetError(f"the demo stopped at {name}: {reason}")
    (fold,) = results["methods"][0]["folds"].values()
    return fold
