"""Run a net's TEST phase and print its outputs: `caffe test`, in PyTorch."""

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
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.options import EngineOptions

Parser = CaffeParser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_caffe_flags(parser, "model", "weights", "iterations", "gpu", "level", "stage")
    add_option_flags(parser, EngineOptions, EngineOptions(), skip=("cuda_graphs", "rng"))


def run(args: argparse.Namespace) -> None:
    require(args.model, "Need a model definition to score.")
    require(args.weights, "Need model weights to score.")
    common = command_arguments(args)
    import_torch()
    from gcnet_caffe.engine.commands import test

    test(args.model, args.weights, args.iterations, **common, log=Log(flags=log_flags(args)))
