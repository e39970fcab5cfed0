"""Train the net of a folder (train_test.prototxt, solver.prototxt), or resume it.

This is the step of `gcnet run` that trains: it writes train.log and weights.caffemodel. It resumes
from snapshots of the same net, solver, start weights and data, and deletes other snapshots.
"""

from __future__ import annotations

import argparse

from gcnet_caffe.cli._options import add_engine_flag, add_option_flags, given_options
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.experiment import ENGINES, TRAINING_OPTIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="folder with the net and its solver", metavar="DIR")
    add_engine_flag(parser, ENGINES)
    add_option_flags(parser, EngineOptions, EngineOptions(), only=TRAINING_OPTIONS)
    parser.add_argument("--weights", nargs="*", default=[], help=".caffemodel files to start from")
    parser.add_argument(
        "--data",
        help="folder of the LMDBs; after another packing, training starts again",
        metavar="DIR",
    )
    parser.add_argument(
        "--gpu-slots",
        default="",
        help="take a free GPU of these; 0,0,1: two trainings on GPU 0, one on GPU 1",
        metavar="LIST",
    )


def run(args: argparse.Namespace) -> None:
    from gcnet_caffe.experiment.training import train_folder

    slots = [int(word) for word in filter(None, args.gpu_slots.split(","))]
    options = EngineOptions(**given_options(args, EngineOptions))
    train_folder(args.folder, args.engine, args.weights, args.data, slots, options)
