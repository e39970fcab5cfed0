"""docs/own-layers.md: its files and commands, as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.scratch import ROOT

PAGE = (ROOT / "docs/own-layers.md").read_text()
FILES = re.findall(r"^`(\S+)`:\n\n```\w+\n(.*?)^```", PAGE, re.M | re.S)
COMMANDS = re.findall(r"^    gcnet (.*)$", PAGE, re.M)
PROGRAM = re.findall(r"^```python\n(import gcnet_caffe\n.*?)^```", PAGE, re.M | re.S)


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr + done.stdout


def test_the_page(tmp_path: Path) -> None:
    assert len(FILES) == 3 and len(COMMANDS) == 4 and len(PROGRAM) == 1
    for name, text in FILES:
        (tmp_path / name).write_text(text)
    said = []
    last = tmp_path / "stripes_iter_60.caffemodel"
    kept = []
    for command in COMMANDS:
        said.append(run(tmp_path, "-m", "gcnet_caffe.cli", *command.split()))
        kept.append(last.read_bytes())
    assert kept[0] == kept[1]  # what continues from iteration 40 ends where the first run did
    loss = re.search(r"\] loss = (\S+)|loss = (\S+)", said[2])
    assert loss and float(loss[1] or loss[2]) < 0.3  # half the loss of a guess is 0.35
    program = """
param = gcnet_caffe.read_net("net.prototxt")
layer = next(layer for layer in param.layer if layer.name == "mish")
layer.type = "Swirl"
layer.ClearField("python_param")
open("other.prototxt", "w").write(gcnet_caffe.to_text(param))
module = gcnet_caffe.load_net("other.prototxt", "stripes_iter_60.caffemodel", ["mish", "gains"])
made = module()
print((made["mish"] == swirl(made["gains"])).all().item())
"""
    assert run(tmp_path, "-c", PROGRAM[0] + program).splitlines()[-1] == "True"
