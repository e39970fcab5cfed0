"""Measure how long each layer of a net takes: `caffe time`, in PyTorch."""

from __future__ import annotations

import argparse

from gcnet_caffe.cli._caffe_flags import (
    CaffeParser,
    add_caffe_flags,
    gpu_numbers,
    log_flags,
    require,
    split_stages,
)
from gcnet_caffe.cli._options import add_option_flags, given_options
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
    options = EngineOptions(**given_options(args, EngineOptions))
    import_torch()
    from gcnet_caffe.engine.commands import time

    log = Log(flags=log_flags(args))
    gpus, stages = gpu_numbers(args.gpu), split_stages(args.stage)
    what = args.model, args.phase, args.iterations, gpus
    time(*what, options, level=args.level, stages=stages, log=log)
