"""Write a network as Caffe prototxts: for `caffe train`, and for recognition (deploy)."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from gcnet_caffe import nets
from gcnet_caffe.cli._options import add_option_flags, given_options
from gcnet_caffe.cli._targets import (
    add_target_flags,
    check_target,
    file_name,
    fitted,
    fitted_classes,
    write_all,
)
from gcnet_caffe.files import write_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_flags(parser, writes="prototxt")
    parser.add_argument(
        "--with-reconstruction",
        action="store_true",
        help="also write the deploy net that keeps the decoders 2 (S0R1, S1R1)",
    )
    parser.add_argument(
        "--fit-classes",
        action="store_true",
        help="take the classes, neutral or not, from the packed.json of --data",
    )
    add_option_flags(parser, nets.NetOptions, nets.net_defaults("S1R1"))


def run(args: argparse.Namespace) -> None:
    if args.all:
        write_all("prototxt")
        write_all("solvers")
        return
    check_target(args)
    defaults = nets.net_defaults(args.variant, args.fold)
    options = dataclasses.replace(defaults, **given_options(args, nets.NetOptions))
    options = fitted_classes(options, args)
    options = fitted(options, args, "test_batch_size", options.data)
    texts = nets.net_files(args.variant, options, args.fold, args.name, args.with_reconstruction)
    for name, text in texts.items():
        path = Path(args.output) / file_name(name, args)
        write_text(path, text)
        print(path)
