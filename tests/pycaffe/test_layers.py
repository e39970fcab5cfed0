"""Every layer under pycaffe: the script that asks real Caffe for the parity cases runs on ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.parity import run
from tests.engine.parity.cases import CASES
from tests.scratch import ROOT

SCRIPT = ROOT / "tests/engine/parity/in_caffe.py"


@pytest.mark.caffe
def test_each_layer_alone_gives_real_caffes_numbers(caffe: Any, tmp_path: Path) -> None:
    """To the last bit where a layer has a rule of Caffe's order, and in all data layers."""
    run.by_caffe(caffe, tmp_path)
    theirs = dict(np.load(tmp_path / "found.npz"))
    command = [sys.executable, "-m", "gcnet_caffe.cli", "python", "--summation", "caffe", SCRIPT]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLOG_minloglevel": "2"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    ours = dict(np.load(tmp_path / "found.npz"))
    assert ours.keys() == theirs.keys() and len(ours) > 2000
    exact = {str(index) for index, case in enumerate(CASES) if run.has_rule(case)}
    wrong = {}
    for key, array in ours.items():
        index = key.split(".")[0]
        far = run.error(array, theirs[key])
        if far and (index in exact or "source" in index or not run.is_near(array, theirs[key])):
            wrong[key] = far
    assert wrong == {}
