"""benchmarks/gpu.py: a rehearsal on the CPU in small sizes, and what it says when a part is bad."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import PARTS
from benchmarks.gpu_parts import Row, Run, layers, nets, random
from gcnet_caffe.engine.layers.combine import Reduction
from gcnet_caffe.engine.layers.neuron import Dropout
from tests.scratch import ROOT


def run_script(out: Path, *words: str) -> tuple[dict[str, Any], str, int]:
    """Rehearse parts; return gpu.json, what was printed, and the exit status."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--small"]
    done = subprocess.run(
        [*command, "--out", out, *words], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert not done.stderr, done.stderr
    assert (out / "gpu.txt").read_text() == done.stdout
    return json.loads((out / "gpu.json").read_text()), done.stdout, done.returncode


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run("", torch.device("cpu"), True, tmp_path, time.monotonic() + 500)


def rehearse(run: Run, part: str) -> dict[str, Any]:
    """Rehearse one part, which must be good; return {what: value}."""
    module = import_module(f"benchmarks.gpu_parts.{PARTS[part].module}")
    rows = list(module.rows(replace(run, part=part)))
    assert rows and not [row for row in rows if row.good is False]
    return {row.what: row.value for row in rows}


def test_layers(run: Run) -> None:
    found = rehearse(run, "layers")
    assert {"LSTM, fp32", "LSTM, tf32"} < set(found)


def test_random(run: Run) -> None:
    assert len(rehearse(run, "random")) == 4


def test_nets(run: Run) -> None:
    assert len(rehearse(run, "nets")) == 6


def test_resume(run: Run) -> None:
    assert set(rehearse(run, "resume")) == {
        "fp32 resumed: bytes that differ from fp32",
        "one rank: bytes that differ from fp32",
    }


def test_speed(run: Run) -> None:
    found = rehearse(run, "speed")
    for name in ("engine fp32", "hand-written fp32", "engine bf16", "best possible, tf32"):
        assert found[name] > 0


def test_several(run: Run) -> None:
    found = rehearse(run, "several")
    assert list(found) == ["fp32: 1 at once", "fp32: 2 at once"] and min(found.values()) > 0


def test_profile(run: Run) -> None:
    found = rehearse(run, "profile")
    total = found.pop("fp32: all")
    parts = list(found.values())
    assert parts == sorted(parts, reverse=True) and 0 < parts[-1] and sum(parts) <= total
    assert "aten::addmm" in found or "aten::mm" in found  # the largest here: the fully connected


def test_learned_and_its_picture(
    run: Run, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = rehearse(run, "learned")
    assert found["S1R1: iterations"] >= 1 and 0 <= found["cnn: accuracy"] <= 1
    assert not capfd.readouterr().out  # where a worker's rows go
    with open(run.out / "curves.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    keys = {(row["variant"], row["phase"], row["name"]) for row in table}
    wanted = (("Train", "total loss"), ("Test", "accuracy"))
    assert {(variant, *key) for variant in ("S1R1", "cnn") for key in wanted} <= keys
    words = [f"{name}={run.out / 'curves.csv'}" for name in ("CPU", "GPU")]
    monkeypatch.setattr(sys, "argv", ["gpu.py", *words, "--draw", str(run.out / "curves.png")])
    assert gpu.main() == 0
    assert (run.out / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_a_part_in_its_process(tmp_path: Path) -> None:
    found, text, status = run_script(tmp_path, "machine")
    assert status == 0 and found["parts"]["machine"]["end"] == "done", text
    assert {row["what"]: row["value"] for row in found["rows"]}["PyTorch"] == torch.__version__


def test_parts_that_are_late_or_fail_are_told_and_others_run(tmp_path: Path) -> None:
    """The first two are processes at the same time."""
    words = ["nets", "random", "learned", "--limit", "nets=1", "--limit", "random=1"]
    found, text, status = run_script(tmp_path, *words, "--data", str(tmp_path / "none"))
    assert status == 1
    for late in ("nets", "random"):
        assert f"  {late}: was ended at its limit of 1 s" in text
    assert found["parts"]["learned"]["end"] == "done"
    assert [row["good"] for row in found["rows"] if row["what"] == "cnn"] == [False]
    assert "S1R1" in text and "failed" in text


def bad(rows: Iterator[Row]) -> set[str]:
    return {row.what for row in rows if row.good is False}


def test_a_layer_that_is_off_by_a_little_is_seen(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wanted numbers come first: the layer changes when the device is prepared."""
    prepare, forward = layers.prepare_torch, Reduction.forward

    def spoil(*given: Any) -> None:
        prepare(*given)
        monkeypatch.setattr(Reduction, "forward", lambda *of: forward(*of) * 1.0003)

    monkeypatch.setattr(layers, "prepare_torch", spoil)
    assert bad(layers.rows(run)) == {"Reduction, fp32", "Reduction, tf32"}


def test_other_masks_and_other_gradients_are_seen(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, seeds = Dropout.draw, iter(range(1000))

    def other(layer: Dropout) -> None:
        draw(layer)
        layer.mask.mul_(next(seeds))

    monkeypatch.setattr(Dropout, "draw", other)
    assert bad(random.rows(run)) == {"ck_fold0: dropout masks that differ"}
    assert bad(nets.rows(run)) >= {"ck_fold0_cnn, fp32: loss", "ck_fold0_cnn, fp32: gradients"}


def test_every_part_says_what_it_proves() -> None:
    for part in PARTS.values():
        path = ROOT / f"benchmarks/gpu_parts/{part.module}.py"
        assert path.read_text().startswith('"""')
    page = (ROOT / "docs/gpu.md").read_text()
    assert all(f"| `{name}` | {part.seconds} |" in page for name, part in PARTS.items())


def test_wheels_are_installed_where_python_lacks_them(tmp_path: Path) -> None:
    """A package that nobody has, and a wheel of it."""
    import zipfile

    wheel = tmp_path / "lacking_thing-1.0-py3-none-any.whl"
    info = "lacking_thing-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("lacking_thing.py", "here = True\n")
        file.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: lacking-thing\nVersion: 1.0\n"
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    text = (
        "from pathlib import Path; from benchmarks import gpu; import os, subprocess, sys\n"
        "gpu.NEEDED['lacking_thing'] = 'lacking-thing'\n"
        f"gpu._install(Path({str(tmp_path)!r}))\n"
        "subprocess.run([sys.executable, '-c', 'import lacking_thing'], check=True)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", text], cwd=tmp_path, env=environment, check=True)
