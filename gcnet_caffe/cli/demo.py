"""Render synthetic faces, pack them, train GCNet S1R1 and test it: a few minutes on two cores.

It is `gcnet run` on a small experiment: the folder holds what every run's folder holds, and the
same command continues a demo that was interrupted.
"""

from __future__ import annotations

import argparse

from gcnet_caffe.cli._options import add_engine_flag
from gcnet_caffe.experiment import ENGINES
from gcnet_caffe.parallel import cores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", default="demo", help="folder to write", metavar="DIR")
    add_engine_flag(parser, ENGINES)


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.experiment.snakemake import Machine, need_snakemake

    need_snakemake("gcnet demo")
    from gcnet_caffe.experiment.demo import EXPERIMENT, run_demo

    machine = Machine(cores(), threads=min(4, cores()))
    print(f"The experiment is {EXPERIMENT}", flush=True)
    found = run_demo(args.output, machine, [f"engine={args.engine}"])
    print(
        f"Fold 0 of 30 synthetic subjects: accuracy {found['accuracy']:.3f} on {found['images']} "
        f"images (largest class {found['chance']:.3f}); generated references "
        f"{found['generated_reference']['gain']:.1f} times closer than the mean face.\n"
        f"Look at {args.output}/report.html and {args.output}/{found['folder']}/faces.png"
    )
