"""docs/pycaffe.md: its commands and its program, as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.scratch import ROOT

PAGE = (ROOT / "docs/pycaffe.md").read_text()
COMMANDS = re.findall(r"^    gcnet (.*)$", PAGE, re.M)
PROGRAM = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
#: What the page's commands run.
FILES = {
    "classify.py": "import sys, caffe; print('classified', sys.argv[1], caffe.__name__)",
    "test_net.py": """
import unittest, caffe
class Test(unittest.TestCase):
    def test(self):
        print("tested", caffe.__name__)
""",
}


def run(folder: Path, *words: str) -> str:
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_page(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    said = [run(tmp_path, "-m", "gcnet_caffe.cli", *shlex.split(line)) for line in COMMANDS]
    assert said[0] == "classified image.jpg gcnet_caffe.pycaffe\n"
    assert said[1] == "tested gcnet_caffe.pycaffe\n"
    assert "'InnerProduct'" in said[2] and len(said) == 3
    (program,) = PROGRAM
    shown = "import caffe as other; print(other is caffe and other.Net.__name__)"
    assert run(tmp_path, "-c", f"{program}\n{shown}") == "Net\n"
