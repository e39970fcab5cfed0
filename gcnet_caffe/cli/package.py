"""Write a trained network as a model folder: net, weights, classes, origin, SHA-256 sums.

TRAINING is a folder such as runs/ck7/nets/default/S1R1/fold0/seed1. A network that was trained
without `gcnet run` is given by --net, --weights and --data. A model folder needs nothing else;
whoever opens it verifies its SHA-256 sums.
"""

from __future__ import annotations

import argparse

from gcnet_caffe.errors import UsageError

OLD_SPELLINGS = {"--model": "--net"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", nargs="?", metavar="TRAINING", help="folder of a finished training")
    parser.add_argument("--net", help="deploy prototxt", metavar="FILE")
    parser.add_argument("--weights", help="its .caffemodel", metavar="FILE")
    parser.add_argument(
        "--data", help="folder of the LMDBs that it was trained on, with packed.json", metavar="DIR"
    )
    parser.add_argument(
        "--mantissa-bits",
        type=int,
        metavar="N",
        help="round the weights to N bits of 23, so that archives and git can compress them",
    )
    parser.add_argument("-o", "--output", required=True, help="folder to write", metavar="DIR")


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.recognition.find_model import read_files, read_run_folder
    from gcnet_caffe.recognition.package import package

    loose = args.net, args.weights, args.data
    if bool(args.run) == any(loose) or (any(loose) and not all(loose)):
        raise UsageError("wanted TRAINING, or --net, --weights and --data together")
    trained = read_run_folder(args.run) if args.run else read_files(*loose)
    model = package(trained, args.output, args.mantissa_bits)
    size = model.weights.stat().st_size / 1e6
    print(f"{args.output}: {model.facts['network']}, {len(model.classes)} classes, {size:.1f} MB")
