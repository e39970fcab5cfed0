"""How long somebody waits for the first result of a command, beside what we want.

    python -m benchmarks.waiting [--rounds N]

Each command is a process of its own; the median of the rounds counts, and for --help that of the
slowest command.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gcnet_caffe.cli import VERBS

_ROOT = Path(__file__).resolve().parents[1]
_GCNET = [sys.executable, "-m", "gcnet_caffe.cli"]


def main() -> None:
    """Print a table of seconds."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(f"{'seconds until the first result':50} {'median':>7} {'wanted':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for what, wanted, measure in _measures(Path(folder)):
            found = statistics.median(measure() for _ in range(rounds))
            print(f"{what:50} {found:7.2f} {wanted:7.1f}", flush=True)


def _measures(folder: Path) -> Iterator[tuple[str, float, Callable[[], float]]]:
    """Yield what is measured, the seconds that are wanted, and the measurement."""
    from tests.engine.classic_nets import write_net

    helps = {name: lambda name=name: _seconds([name, "--help"], folder) for name in VERBS}
    slowest = max(helps, key=lambda name: helps[name]())
    yield f"gcnet {slowest} --help (the slowest of {len(helps)})", 0.5, helps[slowest]
    words = ["make-faces", "-o", "faces", "--subjects", "1", "--frames", "4"]
    _seconds(words, folder)
    picture = str(next(folder.glob("faces/cohn-kanade-images/*/*/*.png")))
    yield "gcnet predict, one picture", 2.5, lambda: _seconds(["predict", picture], folder)
    solver = write_net(folder, "lenet")
    with open(folder / solver, "a") as file:
        print("display: 1", file=file)
    yield "gcnet train, LeNet, iteration 0", 3, lambda: _first_iteration(solver, folder)
    words = ["run", str(_ROOT / "experiments/rendered.yaml"), "--dry-run"]
    yield "gcnet run experiments/rendered.yaml --dry-run", 30, lambda: _seconds(words, folder)


def _seconds(words: list[str], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run([*_GCNET, *words], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def _first_iteration(solver: str, folder: Path) -> float:
    """Return the seconds until the line of iteration 0 is in the log."""
    start = time.perf_counter()
    command = [*_GCNET, "train", "-solver", solver]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if "Iteration 0" in line and "loss" in line:
                process.terminate()
                return time.perf_counter() - start
    sys.exit(f"gcnet train -solver {solver}: no iteration 0")


if __name__ == "__main__":
    main()
