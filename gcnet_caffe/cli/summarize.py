"""Collect the evaluations of a run: mean, standard deviation and pooled accuracy per method.

It reads RUN/experiment.yaml, and evaluation.json and train.log of each job; it writes
RUN/results.json and RUN/results.csv. Folds that failed or did not run are left empty and listed
with the reason.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="folder of a run")


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.evaluation.results_table import results_text, write_results
    from gcnet_caffe.evaluation.summary import summarize

    results = summarize(args.run)
    write_results(results, args.run)
    print(results_text(results))
