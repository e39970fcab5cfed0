"""Run a whole experiment: from its YAML file to tables, figures and the report.

What is finished is not done again. A training that was interrupted resumes from its last snapshot.
After a change of the YAML file only what depends on it is done again.
"""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from gcnet_caffe.cli._caffe_flags import gpu_numbers
from gcnet_caffe.cli._options import (
    add_cores_flag,
    add_option_flags,
    check_least,
    given_options,
)
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.experiment import TRAINING_OPTIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "experiment", help="an experiment, such as experiments/ck7.yaml", metavar="YAML"
    )
    parser.add_argument("-o", "--output", help="folder to write; default: runs/NAME", metavar="DIR")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="changes",
        help="replace a value of the file: solver.max_iter=1000, data.root=/data/CK+",
        metavar="KEY=VALUE",
    )
    parser.add_argument(
        "-n",
        "--dry-run",
        action="store_true",
        help="run no job: show the jobs that are left and estimate their time, by training each "
        "kind of net for a few iterations",
    )
    add_cores_flag(
        parser, "--cores", "processors to use; with --profile, jobs at the same time on the cluster"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="processors per training"
    )
    parser.add_argument(
        "-gpu", "--gpu", default="", help="GPU numbers separated by ',', or 'all'; default: the CPU"
    )
    add_option_flags(parser, EngineOptions, EngineOptions(), only=TRAINING_OPTIONS)
    parser.add_argument("--per-gpu", type=int, default=1, help="trainings at the same time per GPU")
    parser.add_argument(
        "--profile",
        default="",
        help="Snakemake profile of a cluster (docs/cluster.md)",
        metavar="DIR",
    )
    parser.add_argument(
        "--snakemake",
        default="",
        help="more options for Snakemake, quoted as one word",
        metavar="WORDS",
    )


def run(args: argparse.Namespace) -> None:
    check_least(args, cores=1, threads=1, per_gpu=1)
    from gcnet_caffe.experiment.snakemake import Machine, need_snakemake

    need_snakemake()
    from gcnet_caffe.experiment.run import run as run_experiment

    machine = Machine(
        args.cores,
        args.threads,
        tuple(gpu_numbers(args.gpu) or ()),
        args.per_gpu,
        args.profile,
        tuple(shlex.split(args.snakemake)),
        EngineOptions(**given_options(args, EngineOptions)),
    )
    out = args.output or str(Path("runs") / Path(args.experiment).stem)
    if args.dry_run:
        from gcnet_caffe.experiment.estimate import show_plan

        show_plan(args.experiment, out, machine, args.changes)
        return
    results, failed = run_experiment(args.experiment, out, machine, args.changes)
    from gcnet_caffe.evaluation.results_table import results_text

    print(results_text(results))
    if failed:
        name, reason = next(iter(failed.items()))
        raise GcnetError(f"{len(failed)} of the jobs failed, the first: {name}: {reason}")
