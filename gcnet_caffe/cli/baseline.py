"""Score HOG or LBP features and a linear SVM on the LMDBs that a net is trained and tested on.

Trains on the queries of train_lmdb that are not augmented, centre-cropped to 64x64, without those
of the ignored label; fixed options, the same result every time. Writes evaluation.json and
predictions.csv as `gcnet evaluate` does; score0, score1, ... are distances, not probabilities.
"""

import json
from pathlib import Path

from gcnet_caffe import files
from gcnet_caffe.cli.evaluate import print_accuracy
from gcnet_caffe.evaluation.baselines import KINDS, baseline
from gcnet_caffe.evaluation.classification import write_predictions


def add_arguments(parser):
    parser.add_argument("--kind", required=True, choices=sorted(KINDS), help="which features")
    parser.add_argument("--data", required=True, help="folder of train_lmdb and test_lmdb")
    parser.add_argument("-o", "--output", required=True, help="folder to write to", metavar="DIR")


def run(args):
    scores, outputs = baseline(args.kind, args.data)
    records, folder = outputs["records"], Path(args.output)
    path, about = folder / "predictions.csv", outputs["about"]
    write_predictions(path, records.keys, records.labels, outputs["score"], "score", **about)
    files.write_text(folder / "evaluation.json", json.dumps(scores, indent=2) + "\n")
    print_accuracy(scores)
