"""Collect the evaluations of a run: mean, spread and pooled accuracy of each method over its folds.

Reads RUN/experiment.yaml and each job's evaluation.json and train.log; writes RUN/results.json and
RUN/results.csv. Folds that failed or did not run stay holes, listed with the reason.
"""

from gcnet_caffe.evaluation.results_table import results_text, write_results
from gcnet_caffe.evaluation.summary import summarize


def add_arguments(parser):
    parser.add_argument("run", metavar="RUN", help="folder of a run")


def run(args):
    results = summarize(args.run)
    write_results(results, args.run)
    print(results_text(results))
