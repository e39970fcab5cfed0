"""Hold the nets of a solver against their LMDBs: channels, sizes, labels, counts against batches.

What is refused would not train, or would read memory that is not its own.
"""

import argparse
import sys

from gcnet_caffe.cli._caffe_flags import add_caffe_flags, split_stages
from gcnet_caffe.packing.check import check


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prototxt", help="a solver, or a net", metavar="PROTOTXT")
    add_caffe_flags(parser, "level", "stage")


def run(args: argparse.Namespace) -> None:
    findings = check(args.prototxt, args.level, split_stages(args.stage))
    for fact in findings.facts:
        print(fact)
    for warning in findings.warnings:
        print(f"gcnet check: warning: {warning}", file=sys.stderr)
