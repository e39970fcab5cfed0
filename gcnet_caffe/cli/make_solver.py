"""Write a solver as a Caffe prototxt: Nesterov with the paper's numbers."""

import dataclasses
from pathlib import Path

from gcnet_caffe import nets
from gcnet_caffe.cli._options import add_option_flags, given_options
from gcnet_caffe.cli._targets import (
    add_target_flags,
    check_target,
    file_name,
    fitted,
    write_all,
)
from gcnet_caffe.files import write_text


def add_arguments(parser):
    add_target_flags(parser, writes="solvers")
    parser.add_argument("--data", help="folder of the test_lmdb that --fit-test counts")
    add_option_flags(parser, nets.SolverOptions, nets.solver_defaults("S1R1"))


def run(args):
    if args.all:
        write_all("solvers")
        return
    check_target(args)
    defaults = nets.solver_defaults(args.variant, args.fold, args.name)
    options = dataclasses.replace(defaults, **given_options(args, nets.SolverOptions))
    data = args.data or nets.net_defaults(args.variant, args.fold).data
    options = fitted(options, args, "test_iter", data)
    name, text = nets.solver_file(args.variant, options, args.fold, args.name)
    path = Path(args.output) / file_name(name, args)
    write_text(path, text)
    Path(options.snapshot_prefix).parent.mkdir(parents=True, exist_ok=True)
    print(path)
