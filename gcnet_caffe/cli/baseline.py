"""Score HOG or LBP features and a linear SVM on the LMDBs that a net is trained and tested on.

It trains on the queries of train_lmdb that are not augmented, cropped to their centre of 64x64
pixels, without those of the ignored label. The options are fixed, and the result is always the
same. It writes evaluation.json and predictions.csv as `gcnet evaluate` does; score0, score1, ...
are distances to the SVM's planes, not probabilities.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from gcnet_caffe import files
from gcnet_caffe.cli.evaluate import print_accuracy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kind", required=True, choices=("hog-svm", "lbp-svm"), help="features")
    parser.add_argument("--data", required=True, help="folder of train_lmdb and test_lmdb")
    parser.add_argument("-o", "--output", required=True, help="folder to write", metavar="DIR")


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.evaluation.baselines import baseline
    from gcnet_caffe.evaluation.classification import write_predictions
    from gcnet_caffe.evaluation.run_folder import ResultFolder

    scores, outputs = baseline(args.kind, args.data)
    out, test = ResultFolder(Path(args.output)), outputs["records"]
    write_predictions(
        out.predictions, test.keys, test.labels, outputs["score"], "score", **outputs["about"]
    )
    files.write_text(out.evaluation, json.dumps(scores, indent=2) + "\n")
    print_accuracy(scores)
