"""Draw the data flow of a net: one of ours like the paper's figure 3, any other layer by layer."""

from __future__ import annotations

import argparse

from gcnet_caffe.cli._caffe_flags import add_caffe_flags, split_stages
from gcnet_caffe.errors import UsageError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("net", help="a net's prototxt", metavar="NET")
    parser.add_argument(
        "-o",
        "--output",
        default="net.png",
        metavar="FILE",
        help="file to write: .png, .jpg, .pdf or .svg",
    )
    parser.add_argument(
        "-phase",
        "--phase",
        default="",
        metavar="{TRAIN,TEST}",
        help="draw the layers of one phase; default: both in one picture",
    )
    add_caffe_flags(parser, "level", "stage", writes_log=False)


def run(args: argparse.Namespace) -> None:
    if args.phase not in ("", "TRAIN", "TEST"):
        raise UsageError(f'phase must be "TRAIN" or "TEST": found {args.phase!r}')
    from gcnet_caffe.nets.drawing import draw_net

    draw_net(args.net, args.output, args.phase, args.level, tuple(split_stages(args.stage)))
    print(args.output)
