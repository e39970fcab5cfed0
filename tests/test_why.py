"""benchmarks/why.py: probes and gradients whose answers are known; a whole run has its own test."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn")

from benchmarks import why  # noqa: E402


def test_a_probe_reads_what_is_there_and_not_what_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 40)
    subjects = [f"S{i % 10}" for i in range(120)]
    faces = rng.normal(size=(120, 200)).astype(np.float32)
    told = faces + 3 * (np.arange(200) % 3 == labels[:, None])
    half = np.arange(120) % 2 == 0
    some = [subject for subject, kept in zip(subjects, half) if kept]
    clear, noise = (
        why._probe(found[half], found[~half], labels[half], labels[~half], some)
        for found in (told.astype(np.float32), faces)
    )
    assert clear["accuracy"] == 1 and clear["values"] == 200 and clear["C"] in why.PENALTIES
    assert abs(noise["accuracy"] - 1 / 3) < 0.2 < noise["train"]


def test_cosines_and_lengths_by_hand() -> None:
    params = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
    (a, b), other = params, torch.nn.Parameter(torch.zeros(1))
    losses = {
        "classification": 3 * a[0],
        "contrastive": 2 * a[0] + 2 * a[1],
        "generation": -b[0] - a[0],
        "reconstruction": other.sum(),
    }
    found: dict[str, list[float]] = {}
    for _ in range(2):
        why._add(found, losses, params)
    root = pytest.approx(0.5**0.5)
    assert found == {
        "classification": [3, 3],
        "contrastive": [pytest.approx(8**0.5)] * 2,
        "generation": [pytest.approx(2**0.5)] * 2,
        "classification, contrastive": [root, root],
        "classification, generation": [pytest.approx(-(0.5**0.5))] * 2,
        "contrastive, generation": [pytest.approx(-0.5)] * 2,
    }


def test_a_folder_without_a_run_is_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["why", str(tmp_path)])
    with pytest.raises(SystemExit, match="wanted the folder of a training inside a run"):
        why.main()
