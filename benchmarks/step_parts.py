"""The parts of one training step of S1R1 (batch 64), and how near they are to what this CPU can do.

Each row is a kind of work: milliseconds of a step, the smallest of several, and what it reaches.
Convolutions are measured in GFLOP/s (a multiplication and an addition are two), loops over blobs in
GB/s of the blobs that they read and write, each once. The last rows are what the processor can do:
a product of matrices of 1024x1024, and a copy of 32 MB. With one thread the times are of the
processor, so that other work beside it matters less; with more they are of the clock. Winograd's
way needs fewer operations than are counted: it can be faster than the processor's limit.
"""

import argparse
import functools
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.training_step import make_tree, open_solver


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    clock = time.process_time if args.threads == 1 else time.perf_counter
    with tempfile.TemporaryDirectory() as folder:
        make_tree(Path(folder))
        os.chdir(folder)
        solver = open_solver(threads=args.threads, precision=args.precision)
        solver.step(2)
        rounds = [_measured(solver, clock) for _ in range(args.rounds)]
        whole = min(_seconds(lambda: solver.step(1), clock) for _ in range(args.rounds))
        os.chdir("/")
    best = {what: min(one[what] for one in rounds if what in one) for what in rounds[0]}
    print(f"S1R1, batch 64, {args.precision}, threads: {args.threads}")
    print(f"{'':40} {'ms':>7} {'%':>4} {'reaches':>15}")
    for what, (seconds, work, unit) in best.items():
        reached = f"{work / seconds / 1e9:7.1f} {unit}" if unit else ""
        print(f"{what:40} {seconds * 1e3:7.1f} {seconds / whole * 100:4.0f} {reached:>15}")
    rest = whole - sum(seconds for seconds, *_ in best.values())
    print(f"{'all else':40} {rest * 1e3:7.1f} {rest / whole * 100:4.0f}")
    print(f"{'a step':40} {whole * 1e3:7.1f}  100")
    _print_roofline(args.precision, clock)


def _seconds(call, clock):
    start = clock()
    call()
    return clock() - start


def _measured(solver, clock):
    """Return {part: (seconds, work, unit)} of one step."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from gcnet_caffe.engine import batch_norm_chains, winograd
    from gcnet_caffe.engine.layers import convolution

    parts = defaultdict(lambda: (0.0, 0.0, ""))

    def add(what, seconds, work, unit):
        before = parts[what]
        parts[what] = (before[0] + seconds, before[1] + work, unit)

    class Convolutions(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, arguments=(), options=None):
            start = clock()
            made = function(*arguments, **(options or {}))
            name = function._schema.name.partition("::")[2]
            if name in ("convolution", "convolution_backward"):
                what, work = _convolution(name, arguments, made)
                add(what, clock() - start, work, "GFLOP/s")
            return made

    def share(inner, loop, count, size, *arguments, **options):
        start = clock()
        inner(loop, count, size, *arguments, **options)
        what, work, unit = _loop(loop.__name__, size * count, arguments)
        add(what, clock() - start, work, unit)

    modules = (batch_norm_chains, convolution, winograd)
    before = [module.share for module in modules]
    try:
        for module in modules:
            module.share = functools.partial(share, module.share)
        with Convolutions(), torch.autograd.set_multithreading_enabled(False):
            solver.step(1)
    finally:
        for module, shared in zip(modules, before):
            module.share = shared
    return dict(sorted(parts.items()))


def _convolution(name, arguments, made):
    """Return the part of a convolution, and its operations."""
    if name == "convolution":
        bottom, weight, *_ = arguments
        times, transposed, top, which = 1, arguments[6], made, "forward"
    else:
        top, bottom, weight, *_ = arguments
        times, transposed, which = sum(arguments[-1][:2]), arguments[7], "backward"
    pixels = (bottom if transposed else top)[:, 0].numel()
    kind = "one channel" if 1 in (bottom.shape[1], top.shape[1]) else "many channels"
    return f"convolutions, {kind}, {which}", 2 * pixels * weight.numel() * times


def _loop(name, numbers, arguments):
    """Return the part of one of our loops, its operations or bytes, and their unit."""
    arrays = [argument for argument in arguments if hasattr(argument, "nbytes")]
    if name == "deconvolve":
        taps = arrays[1]
        return "our loop into one channel", 2 * numbers * taps.size / arguments[1], "GFLOP/s"
    if name in ("convolve", "weight_gradients"):
        channels, tops = arguments[3], arrays[-1] if name == "convolve" else arrays[1]
        which = "forward and data" if name == "convolve" else "weights"
        return f"Winograd's way, {which}", 2 * 9 * channels * tops.size, "GFLOP/s"
    kind = "sums" if name in ("moments", "gradient_sums", "pooled_sums") else "blobs written"
    return f"our loops, {kind}", sum(array.nbytes for array in arrays), "GB/s"


def _print_roofline(precision, clock):
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    matrix, blob = torch.rand(1024, 1024).to(kind), torch.rand(8 << 20)
    made = torch.empty_like(blob)
    product = min(_seconds(lambda: matrix @ matrix, clock) for _ in range(20))
    copy = min(_seconds(lambda: made.copy_(blob), clock) for _ in range(20))
    print(f"{'a product of matrices':52} {2 * 1024**3 / product / 1e9:7.1f} GFLOP/s")
    print(f"{'a copy':52} {2 * blob.nbytes / copy / 1e9:7.1f} GB/s")


if __name__ == "__main__":
    sys.exit(main())
