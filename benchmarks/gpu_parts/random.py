"""With `--rng caffe` a GPU has the CPU's start weights, batches, dropout masks and noise."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_parts import Row, Run, solver_of, tree
from gcnet_caffe.engine.layers.neuron import Dropout
from tests.engine.parity.run import source_by_engine
from tests.engine.parity.sources import SOURCES, unequal, write_files

_TURNS = 3


def rows(run: Run) -> Iterator[Row]:
    """Yield how many things differ: none may."""
    far = _sources(run.device)
    yield Row(
        "sources, fillers, transforms that differ",
        len(far),
        f"of {len(SOURCES)}",
        0,
        note=", ".join(far),
    )
    names = ("ck_fold0",) if run.small else ("ck_fold0", "ck_fold0_S1R1_vae")
    with tree(batch_size=2 if run.small else None, images=24 if run.small else 128):
        for name in names:
            mine, theirs = (_drawn(name, device) for device in (run.device, torch.device("cpu")))
            for what, wanted in theirs.items():
                found = mine[what]
                count = sum(not torch.equal(a, b) for a, b in zip(found, wanted))
                count += abs(len(found) - len(wanted))
                yield Row(f"{name}: {what} that differ", count, f"of {len(wanted)}", 0)


def _sources(device: torch.device) -> list[str]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        os.chdir(folder)
        far = [
            source.type
            for source in SOURCES
            if unequal(source_by_engine(source, device), source_by_engine(source))
        ]
        os.chdir(before)
    return far


def _drawn(name: str, device: torch.device) -> dict[str, list[torch.Tensor]]:
    changes: dict[str, Any] = {"random_seed": 1}
    solver = solver_of(f"solvers/{name}.prototxt", device, changes, rng="caffe")
    found = {
        "start weights": [one.param.detach().cpu() for one in solver.net.learnable],
        "batches": [],
        "dropout masks": [],
    }
    for _ in range(_TURNS):
        batch = solver.net.next_batch()
        found["batches"] += [batch[number].cpu() for number in sorted(batch)]
        found["dropout masks"] += [
            layer.mask.cpu().clone() for layer in solver.net.layers if isinstance(layer, Dropout)
        ]
    return found
