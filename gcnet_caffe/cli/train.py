"""Train or fine-tune a net: `caffe train`, in PyTorch, from the same solver, net and LMDB files.

SIGINT writes a snapshot and stops; SIGHUP writes a snapshot and continues. Without -gpu, the
solver's solver_mode says whether it trains on a GPU. With several GPUs, or under torchrun, each
process trains on its own records and the gradients are averaged.
"""

from __future__ import annotations

import argparse

from gcnet_caffe.cli._caffe_flags import (
    CaffeParser,
    add_caffe_flags,
    command_arguments,
    log_flags,
    require,
)
from gcnet_caffe.cli._options import add_option_flags
from gcnet_caffe.engine import import_torch
from gcnet_caffe.engine.options import EngineOptions

Parser = CaffeParser
_FLAGS = ("solver", "discriminator_solver", "weights", "snapshot", "gpu", "level", "stage")
_EFFECTS = ("sigint_effect", "sighup_effect")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_caffe_flags(
        parser,
        *_FLAGS,
        *_EFFECTS,
        weights=".caffemodel files to start from, separated by ','; not together with -snapshot",
        gpu="GPU numbers separated by ',', or 'all'; default: what the solver says (solver_mode, "
        "device_id), or the CPU",
    )
    add_option_flags(parser, EngineOptions, EngineOptions())
    parser.add_argument(
        "--ranks",
        type=int,
        default=1,
        help="number of processes that train together on the CPU",
        metavar="N",
    )
    parser.add_argument(
        "--log",
        default="",
        help="write the log to FILE; with -snapshot, add to it",
        metavar="FILE",
    )


def run(args: argparse.Namespace) -> None:
    require(args.solver, "Need a solver definition to train.")
    common = command_arguments(args)
    import_torch()
    from gcnet_caffe.engine.commands import train

    train(
        args.solver,
        args.weights,
        args.snapshot,
        **common,
        sigint_effect=args.sigint_effect,
        sighup_effect=args.sighup_effect,
        log=args.log,
        ranks=args.ranks,
        discriminator_solver=args.discriminator_solver,
        log_flags=log_flags(args),
    )
