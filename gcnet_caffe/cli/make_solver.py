"""Write a solver as a Caffe prototxt: Nesterov with the paper's numbers.

With --generator dcgan it writes two: the generator's and the discriminator's.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from gcnet_caffe import nets
from gcnet_caffe.cli._options import add_option_flags, given_options
from gcnet_caffe.cli._targets import (
    add_target_flags,
    check_target,
    exact_test,
    write_all,
    write_files,
)
from gcnet_caffe.nets.names import NAMING, SOLVER_FOLDER


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_target_flags(parser, SOLVER_FOLDER)
    parser.add_argument(
        "--data",
        default=argparse.SUPPRESS,  # as of `add_option_flags`: a field of the net's options
        help="folder of the test_lmdb whose images --fit-test counts; default: as of make-net",
    )
    net = parser.add_argument_group("the net, as given to make-net: it is part of the file names")
    add_option_flags(net, nets.NetOptions, nets.net_defaults("S1R1"), only=NAMING)
    add_option_flags(parser, nets.SolverOptions, nets.solver_defaults("S1R1"))


def run(args: argparse.Namespace) -> None:
    if args.all:
        write_all(args)
        return
    check_target(args)
    net = nets.net_defaults(args.variant, args.fold)
    net = dataclasses.replace(net, **given_options(args, nets.NetOptions))
    defaults = nets.solver_defaults(args.variant, args.fold, args.name, net)
    options = dataclasses.replace(defaults, **given_options(args, nets.SolverOptions))
    if args.fit_test:
        options = dataclasses.replace(options, test_iter=exact_test(net.data)[1])
    write_files(nets.solver_files(args.variant, options, args.fold, args.name, net), args)
    Path(options.snapshot_prefix).parent.mkdir(parents=True, exist_ok=True)
