"""What the run is on: Python, libraries, GPU, processor, commit."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator

import numpy
import torch

from benchmarks.gpu_parts import Row, Run
from gcnet_caffe.engine.device import describe_gpus
from gcnet_caffe.parallel import cores


def rows(run: Run) -> Iterator[Row]:
    """Yield names and versions."""
    commit = ["git", "rev-parse", "--short", "HEAD"]
    yield Row("commit", run.commit or _said(commit) or "not known")
    yield Row("Python", platform.python_version())
    yield Row("numpy", numpy.__version__)
    yield Row("PyTorch", torch.__version__)
    yield Row("CPU cores", cores())
    if run.device.type == "cuda":
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        yield Row("CUDA", str(torch.version.cuda))
        yield Row("cuDNN", str(torch.backends.cudnn.version()))
        yield Row("driver", _said(query))
        yield Row("GPU", "", note=next(describe_gpus([0])))


def _said(command: list[str]) -> str:
    """Return what a program says, or nothing where it is not there or fails."""
    if not shutil.which(command[0]):
        return ""
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stdout.strip() if result.returncode == 0 else ""
