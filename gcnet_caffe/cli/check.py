"""Check that LMDBs match the nets that read them: channels, sizes, labels, counts and batches.

Caffe checks little of this. With a mismatch, Caffe fails or reads invalid memory.
"""

from __future__ import annotations

import argparse
import sys

from gcnet_caffe.cli._caffe_flags import add_caffe_flags, split_stages


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("prototxt", help="a solver, or a net", metavar="PROTOTXT")
    add_caffe_flags(parser, "level", "stage", writes_log=False)


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.packing.check import check

    findings = check(args.prototxt, args.level, split_stages(args.stage))
    for fact in findings.facts:
        print(fact)
    if not findings.facts and not findings.warnings:
        print(f"{args.prototxt}: no layer reads an LMDB: nothing to compare")
    for warning in findings.warnings:
        print(f"gcnet check: warning: {warning}", file=sys.stderr)
