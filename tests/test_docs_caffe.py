"""docs/caffe.md on a folder of real Caffe: nets in old syntax, weights, LMDBs, a mean, a script."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gcnet_caffe import cli
from tests.scratch import ROOT, write_lmdb

PAGE = (ROOT / "docs/caffe.md").read_text()
COMMANDS = re.findall(r"^    gcnet (.*)$", PAGE, re.M)
SCRIPT, PROGRAM = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
DATA = """layers {{ name: "data" type: DATA top: "data" top: "label" include {{ phase: {phase} }}
  transform_param {{ mean_file: "mean.binaryproto" crop_size: 16 mirror: {mirror} }}
  data_param {{ source: "{name}_lmdb" backend: LMDB batch_size: 4 }} }}
"""
BODY = """
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2
  weight_decay: 1 weight_decay: 0 convolution_param { num_output: 6 kernel_size: 5
  weight_filler { type: "xavier" } } }
layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" }
layers { name: "pool1" type: POOLING bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2
  stride: 2 } }
layers { name: "norm1" type: LRN bottom: "pool1" top: "norm1" lrn_param { local_size: 3 } }
layers { name: "score" type: INNER_PRODUCT bottom: "norm1" top: "score" inner_product_param {
  num_output: 3 weight_filler { type: "xavier" } } }
"""
LOSS = """layers { name: "loss" type: SOFTMAX_LOSS bottom: "score" bottom: "label" top: "loss" }
layers { name: "accuracy" type: ACCURACY bottom: "score" bottom: "label" top: "accuracy"
  include { phase: TEST } }
"""
DEPLOY = """input: "data" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16
{} layers {{ name: "prob" type: SOFTMAX bottom: "score" top: "prob" }}
"""
SOLVER = """net: "train_val.prototxt" test_iter: 2 test_interval: 20 base_lr: 0.001 momentum: 0.9
weight_decay: 0.0005 lr_policy: "step" gamma: 0.1 stepsize: 30 display: 10 max_iter: {} snapshot: 40
snapshot_prefix: "net" random_seed: 1 solver_mode: {}
"""


@pytest.fixture
def folder(caffe: Any, tmp_path: Path) -> Path:
    """The folder of the page."""
    for seed, name in enumerate(("train", "test")):
        write_lmdb(tmp_path / f"{name}_lmdb", [i % 3 for i in range(20)], 3, 20, seed)
    data = DATA.format(phase="TRAIN", name="train", mirror="true")
    data += DATA.format(phase="TEST", name="test", mirror="false")
    (tmp_path / "train_val.prototxt").write_text(data + BODY + LOSS)
    (tmp_path / "deploy.prototxt").write_text(DEPLOY.format(BODY))
    (tmp_path / "classify.py").write_text(SCRIPT)
    caffe.run(["compute_image_mean", "train_lmdb", "mean.binaryproto"], tmp_path)
    (tmp_path / "solver.prototxt").write_text(SOLVER.format(40, "CPU"))
    caffe.run_caffe(["train", "-solver", "solver.prototxt"], tmp_path)
    (tmp_path / "solver.prototxt").write_text(SOLVER.format(60, "GPU"))
    pixels = np.random.default_rng(0).integers(0, 256, (30, 24, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(tmp_path / "cat.png")
    return tmp_path


def run(folder: Path, *words: str) -> str:
    """Run a program that may import `caffe`; return what it prints."""
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def outcome(log: str) -> list[float]:
    """Return the accuracy and the loss that a test logs at its end."""
    return [float(number) for number in re.findall(r"(?:accuracy|loss) = (\S+)", log)[-2:]]


@pytest.mark.caffe
def test_the_page(
    folder: Path, caffe: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx", reason="the onnx extra is not installed")
    monkeypatch.chdir(folder)
    block = re.search(r"(?:^    \S+ {2,}\S.*\n)+", PAGE, re.M)
    assert block and all((folder / name).exists() for name in block[0].split())
    commands = {command: shlex.split(command) for command in COMMANDS}
    assert len(commands) == 8
    said = {}
    for command, words in commands.items():
        if words[0] == "test":
            wanted = outcome(caffe.run_caffe(words, folder).stderr)
        if words[0] == "python":
            assert run(folder, "-m", "gcnet_caffe.cli", *words).strip() in "012"
            continue
        capfd.readouterr()
        assert cli.main(words) == 0, command
        said[words[0], words[-1].split(".")[-1]] = capfd.readouterr().err
    assert outcome(said["test", "10"]) == pytest.approx(wanted, rel=1e-4) and len(wanted) == 2
    continued = said["train", "solverstate"]
    assert "Iteration 40" in continued and "Iteration 20" not in continued
    assert "solver_mode: GPU" in continued and "Iteration 20" in said["train", "caffemodel"]
    assert all((folder / name).exists() for name in ("net.png", "net.onnx", "diff.png"))
    assert run(folder, "-c", PROGRAM) == "torch.Size([4, 3])\n"
