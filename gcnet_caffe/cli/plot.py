"""Draw the losses and accuracies of a Caffe 1.0 training log."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("log", help="log of `caffe train` or `gcnet train`", metavar="LOG")
    parser.add_argument(
        "-o",
        "--output",
        default="loss.png",
        metavar="FILE",
        help="file to write: .png, .jpg, .pdf or .svg",
    )


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.formats.log_drawing import draw_log

    draw_log(args.log, args.output)
    print(args.output)
