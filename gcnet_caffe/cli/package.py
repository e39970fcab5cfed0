"""Write a trained network as a model folder: net, weights, classes, origin, SHA-256 sums.

TRAINING is a folder such as runs/ck7/nets/default/S1R1/fold0/seed1. A network that was trained
without `gcnet run` is given by --net, --weights and --data. A model folder needs nothing else;
whoever opens it verifies its SHA-256 sums.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gcnet_caffe.errors import UsageError
from gcnet_caffe.plotting import check_figure, import_pyplot

if TYPE_CHECKING:
    from gcnet_caffe.inference.model import Calibration

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
    parser.add_argument(
        "--calibrate",
        nargs="+",
        metavar="CSV",
        help="fit the probabilities to these predictions.csv of `gcnet evaluate`, of people that "
        "such a network was not trained on",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="P",
        help='with --calibrate: below this probability an answer is "not sure" (default: 0.5)',
    )
    parser.add_argument(
        "--reliability",
        metavar="FILE",
        help="with --calibrate: draw how often answers are right, by their probability (.png, ...)",
    )
    parser.add_argument("-o", "--output", required=True, help="folder to write", metavar="DIR")


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.recognition.find_model import read_files, read_run_folder
    from gcnet_caffe.recognition.package import package

    loose = args.net, args.weights, args.data
    if bool(args.run) == any(loose) or (any(loose) and not all(loose)):
        raise UsageError("wanted TRAINING, or --net, --weights and --data together")
    if not args.calibrate and (args.threshold is not None or args.reliability):
        raise UsageError("--threshold and --reliability: wanted --calibrate with them")
    if args.reliability:
        check_figure(args.reliability)
        import_pyplot()
    trained = read_run_folder(args.run) if args.run else read_files(*loose)
    calibration = _calibrate(args, len(trained.classes)) if args.calibrate else None
    model = package(trained, args.output, args.mantissa_bits, calibration)
    size = model.weights.stat().st_size / 1e6
    print(f"{args.output}: {model.facts['network']}, {len(model.classes)} classes, {size:.1f} MB")
    if calibration:
        _tell(calibration)
    if calibration and args.reliability:
        from gcnet_caffe.report.reliability import draw_reliability

        draw_reliability(calibration, args.reliability)


def _calibrate(args: argparse.Namespace, classes: int) -> Calibration:
    from gcnet_caffe.evaluation.calibration import THRESHOLD, calibrate, read_predictions

    threshold = THRESHOLD if args.threshold is None else args.threshold
    return calibrate(*read_predictions(args.calibrate, classes), threshold)


def _tell(found: Calibration) -> None:
    before, after = found["error"]
    print(
        f"calibrated on {found['images']} images: temperature {found['temperature']:.2f}, "
        f"confidence is {after:.3f} from accuracy, without {before:.3f}"
    )
    right = found["accuracy_of_sure"]
    of_these = "" if right is None else f", {right:.1%} of these are right"
    print(
        f"sure, {found['threshold']:g} or more: {found['sure']:.1%} of the answers{of_these}; "
        f"of all {found['accuracy']:.1%}"
    )
