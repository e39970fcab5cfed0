"""benchmarks/gpu.py: a rehearsal on the CPU in small sizes, and what it says when a part is bad."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

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


def rehearse(out: Path, part: str) -> dict[str, Any]:
    """Rehearse one part, which must be good; return {what: value}."""
    limits = ("--limit", f"{part}=500", "--total", "500")
    found, text, status = run_script(out, part, *limits)
    assert status == 0 and found["parts"][part]["end"] == "done", text + log_of(out)
    return {row["what"]: row["value"] for row in found["rows"]}


def log_of(out: Path) -> str:
    return (out / "log.txt").read_text()


def test_layers_random_and_nets_run_at_the_same_time(tmp_path: Path) -> None:
    found, text, status = run_script(tmp_path, "layers", "random", "nets", "--total", "500")
    assert status == 0, text + log_of(tmp_path)
    assert {row["part"] for row in found["rows"]} == {"layers", "random", "nets"}
    assert {part["end"] for part in found["parts"].values()} == {"done"}


def test_resume(tmp_path: Path) -> None:
    found = rehearse(tmp_path, "resume")
    assert set(found) == {
        "fp32 resumed: bytes that differ from fp32",
        "one rank: bytes that differ from fp32",
    }


def test_speed(tmp_path: Path) -> None:
    found = rehearse(tmp_path, "speed")
    for name in ("engine fp32", "hand-written fp32", "engine bf16", "best possible, tf32"):
        assert found[name] > 0


def test_several(tmp_path: Path) -> None:
    found = rehearse(tmp_path, "several")
    assert list(found) == ["fp32: 1 at once", "fp32: 2 at once"] and min(found.values()) > 0


def test_profile(tmp_path: Path) -> None:
    found = rehearse(tmp_path, "profile")
    assert found["aten::convolution_backward"] < found["fp32: all"]


def test_learned_and_its_picture(tmp_path: Path) -> None:
    found = rehearse(tmp_path, "learned")
    assert found["S1R1: iterations"] >= 1 and 0 <= found["cnn: accuracy"] <= 1
    with open(tmp_path / "curves.csv", newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    keys = {(row["variant"], row["phase"], row["name"]) for row in table}
    wanted = (("Train", "total loss"), ("Test", "accuracy"))
    assert {(variant, *key) for variant in ("S1R1", "cnn") for key in wanted} <= keys
    words = [f"CPU={tmp_path / 'curves.csv'}", f"GPU={tmp_path / 'curves.csv'}"]
    command = [sys.executable, "-m", "benchmarks.gpu", *words, "--draw", tmp_path / "curves.png"]
    subprocess.run(command, cwd=ROOT, check=True)
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


def test_a_part_that_takes_too_long_is_ended_and_the_others_run(tmp_path: Path) -> None:
    found, text, status = run_script(tmp_path, "nets", "machine", "--limit", "nets=1")
    assert status == 1 and "  nets: was ended at its limit of 1 s" in text
    assert found["parts"]["machine"]["end"] == "done"
    assert {row["what"]: row["value"] for row in found["rows"]}["PyTorch"] == torch.__version__


def test_a_part_that_fails_is_told(tmp_path: Path) -> None:
    words = ("learned", "--data", str(tmp_path / "none"))
    found, text, status = run_script(tmp_path, *words)
    assert status == 1 and "S1R1" in text and "failed" in text
    assert [row["good"] for row in found["rows"] if row["what"] == "cnn"] == [False]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run("", torch.device("cpu"), True, tmp_path, float("inf"))


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
