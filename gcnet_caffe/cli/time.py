"""Measure how long each layer of a net takes: `caffe time`, in PyTorch."""

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
    add_caffe_flags(parser, "model", "phase", "iterations", "gpu", "level", "stage")
    add_option_flags(
        parser, EngineOptions, EngineOptions(), skip=("cuda_graphs", "rng", "summation")
    )


def run(args: argparse.Namespace) -> None:
    require(args.model, "Need a model definition to time.")
    common = command_arguments(args)
    import_torch()
    from gcnet_caffe.engine.commands import time

    time(args.model, args.phase, args.iterations, **common, log=Log(flags=log_flags(args)))
