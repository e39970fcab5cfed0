"""Show the GPUs that PyTorch sees: `caffe device_query`, in PyTorch."""

from __future__ import annotations

import argparse

from gcnet_caffe.cli._caffe_flags import CaffeParser, add_caffe_flags, gpu_numbers
from gcnet_caffe.engine import import_torch

Parser = CaffeParser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    gpu = "GPU numbers separated by ','; default: all"
    add_caffe_flags(parser, "gpu", writes_log=False, gpu=gpu)


def run(args: argparse.Namespace) -> None:
    import_torch()
    from gcnet_caffe.engine.device import describe_gpus

    lines = describe_gpus(gpu_numbers(args.gpu or "all") or ())
    print("\n".join(lines) or "PyTorch sees no GPU here")
