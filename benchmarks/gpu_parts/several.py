"""Several trainings at once on one GPU, as `gcnet run --per-gpu` starts them: a process for each.

Each is the committed solver of S1R1 with all that it says: display, tests, snapshots. Without MPS
(NVIDIA's service for several processes) a GPU runs the kernels of one process at a time.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import torch

from benchmarks.gpu_parts import ROOT, Row, Run, tree
from gcnet_caffe import ends_with_parent
from gcnet_caffe.engine.device import prepare_torch
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.formats import read_solver

_SETTINGS: dict[str, dict[str, Any]] = {
    "fp32": {},
    "tf32 --cuda-graphs": {"precision": "tf32", "cuda_graphs": True},
    "bf16 --cuda-graphs": {"precision": "bf16", "cuda_graphs": True},
}
_COUNTS = (1, 2, 4, 8)
_MPS = "nvidia-cuda-mps-control"
#: Iterations of ten folds.
_ALL = 10 * 300_000


def rows(run: Run) -> Iterator[Row]:
    """Yield iterations a second of all trainings together."""
    counts = (1, 2) if run.small else _COUNTS
    seconds = 0.1 if run.small else 4.0
    names = ["fp32"] if run.small else list(_SETTINGS)
    ways = [(name, "") for name in names]
    if run.device.type == "cuda":
        ways += [(name, " with MPS") for name in names[1:]] if shutil.which(_MPS) else []
    with tree(batch_size=2 if run.small else None, images=24 if run.small else 512):
        for name, mps in ways:
            with ExitStack() as stack:
                env = stack.enter_context(_mps()) if mps else None
                processes = [_start(stack, run, name, env) for _ in range(counts[-1])]
                if not all(_answer(process) for process in processes):
                    yield Row(f"{name}{mps}", "failed", limit=0, note="see log.txt")
                    continue
                for count in counts:
                    yield _row(name + mps, count, _together(processes[:count], seconds))


@contextlib.contextmanager
def _mps() -> Iterator[dict[str, str]]:
    """Start the service, with its files in a folder of its own; yield its users' environment."""
    with tempfile.TemporaryDirectory() as folder:
        own = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        environment = {**os.environ, **own}
        subprocess.run([_MPS, "-d"], env=environment, check=True)
        try:
            yield environment
        finally:
            subprocess.run([_MPS], input="quit", text=True, env=environment)


def _start(
    stack: ExitStack, run: Run, name: str, env: dict[str, str] | None
) -> subprocess.Popen[str]:
    text = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
    text += f"from {__name__} import train; train({name!r}, {run.solver!r}, {str(run.device)!r})"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": env}
    return ends_with_parent.start(stack, [sys.executable, "-c", text], **pipes)


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline()


def _together(processes: list[subprocess.Popen[str]], seconds: float) -> float:
    """Let them train; return the iterations a second of all."""
    for process in processes:
        assert process.stdin
        print(seconds, file=process.stdin, flush=True)
    return sum(float(_answer(process) or "nan") for process in processes)


def _row(name: str, count: int, rate: float) -> Row:
    hours = _ALL / rate / 3600
    return Row(f"{name}: {count} at once", rate, "it/s", note=f"ten folds: {hours:.1f} h")


def train(name: str, path: str, device: str) -> None:
    """Train for the seconds that each line of standard input gives; print iterations a second."""
    options = EngineOptions(**_SETTINGS[name])
    prepare_torch(options, torch.device(device))
    log = Log(io.StringIO())
    solver = Solver(read_solver(path), path, torch.device(device), options, log=log)
    solver.begin()
    for _ in range(2):
        solver.advance()
    print("ready", flush=True)
    for line in sys.stdin:
        before, start = solver.iteration, time.perf_counter()
        while time.perf_counter() - start < float(line):
            solver.advance()
        solver._read_losses()  # waits for the GPU
        print((solver.iteration - before) / (time.perf_counter() - start), flush=True)
