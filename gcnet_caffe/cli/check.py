"""Hold a net's LMDBs against the net: channels, size, labels in range, counts against batches."""

import sys

from gcnet_caffe.check import check


def add_arguments(parser):
    parser.add_argument("prototxt", help="a net, or a solver that names one", metavar="NET")


def run(args):
    findings = check(args.prototxt)
    for fact in findings.facts:
        print(fact)
    for warning in findings.warnings:
        print(f"gcnet check: warning: {warning}", file=sys.stderr)
