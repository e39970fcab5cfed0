"""A training that goes on from a snapshot ends with the bytes of one that was never interrupted.

Each training is a `gcnet train` of its own. One more is the only rank of a process group: with NCCL
on a GPU.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.gpu_parts import Row, Run, changed_solver, tree
from gcnet_caffe.formats import to_text

_SETTINGS = {
    "fp32": [],
    "tf32, graphs": ["--precision", "tf32", "--cuda-graphs"],
    "bf16": ["--precision", "bf16"],
    "rng caffe": ["--rng", "caffe"],
}


def rows(run: Run) -> Iterator[Row]:
    """Yield how many of the bytes of the last weights differ."""
    last = 4 if run.small else 40
    settings = {"fp32": []} if run.small else _SETTINGS
    with tree(batch_size=2 if run.small else None, images=24 if run.small else 128) as folder:
        # all at the same time, as far as one does not need another
        straight = {
            name: _start(run, folder, name, last, words) for name, words in settings.items()
        }
        straight["one rank"] = _start(run, folder, "one rank", last, [], ranks=True)
        ends = {name: process.wait() for name, process in straight.items()}
        resumed = {}
        for name, words in settings.items():
            state = f"snapshots/{_plain(name)}_iter_{last // 2}.solverstate"
            again = [*words, "-snapshot", state]
            resumed[name] = _start(run, folder, f"{name} resumed", last, again)
        ends.update((f"{name} resumed", process.wait()) for name, process in resumed.items())
        pairs = [(name, f"{name} resumed") for name in settings] + [("fp32", "one rank")]
        for wanted, found in pairs:
            failed = [name for name in (wanted, found) if ends[name]]
            if failed:
                yield Row(f"{found}: failed", "failed", limit=0, note=_last_line(folder, failed[0]))
                continue
            ours, theirs = (_weights(folder, name, last) for name in (found, wanted))
            shared = min(len(ours), len(theirs))
            differ = np.count_nonzero(ours[:shared] != theirs[:shared])
            count = int(differ) + abs(len(ours) - len(theirs))
            yield Row(f"{found}: bytes that differ from {wanted}", count, f"of {len(theirs)}", 0)


def _plain(name: str) -> str:
    return name.replace(", ", "_").replace(" ", "_")


def _start(
    run: Run, folder: Path, name: str, last: int, words: list[str], ranks: bool = False
) -> subprocess.Popen[bytes]:
    """Start a training of S1R1 that writes a snapshot half-way."""
    changes = {"max_iter": last, "snapshot": last // 2, "random_seed": 1, "display": 5}
    param = changed_solver(run.solver, **changes)
    param.snapshot_prefix = f"snapshots/{_plain(name)}"
    param.snapshot_after_train = True
    (folder / f"{_plain(name)}.prototxt").write_text(to_text(param))
    command = [sys.executable, "-m", "gcnet_caffe.cli", "train"]
    command += ["-solver", f"{_plain(name)}.prototxt", *run.gpus, *words]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    if ranks:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        of_rank = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_PORT": port}
        environment.update(of_rank, MASTER_ADDR="127.0.0.1")
    with open(folder / f"{_plain(name)}.log", "wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _weights(folder: Path, name: str, last: int) -> NDArray[np.uint8]:
    return np.fromfile(folder / f"snapshots/{_plain(name)}_iter_{last}.caffemodel", np.uint8)


def _last_line(folder: Path, name: str) -> str:
    lines = (folder / f"{_plain(name)}.log").read_text().strip().splitlines()
    return lines[-1][:300] if lines else "without a word"
