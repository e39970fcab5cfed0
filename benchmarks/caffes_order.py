"""A training iteration in Caffe's order (`--summation caffe`), beside real Caffe's.

Contestants: real Caffe, and the engine in Caffe's order, each with one thread and with two. Each is
a process of its own for each net; all have OpenBLAS's kernels for Sandybridge. They are told when
to run, so that they take turns, and the median of the rounds counts. "equal" says whether the
blobs at the end are real Caffe's (of one thread) bit for bit.

    python -m benchmarks.caffes_order [NET ...]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
#: Contestant -> the kind of its worker, and its threads.
_CONTESTANTS = {
    "Caffe": ("caffe", 1),
    "Caffe, 2 threads": ("caffe", 2),
    "Caffe's order": ("engine", 1),
    "Caffe's order, 2 threads": ("engine", 2),
}
_S1R1 = "S1R1"


def main() -> None:
    """Print a table of milliseconds an iteration, a line a net."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("nets", nargs="*", metavar="NET", help="nets to run (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the median counts")
    parser.add_argument("--seconds", type=float, default=1, help="about how long a turn takes")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        _work(*args.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        solvers = _write(Path(folder), args.nets)
        heads = "".join(f"{name:>26}" for name in _CONTESTANTS)
        print(f"{'ms an iteration':20}{heads}  {'as fast':>7} {'2 threads':>9}  equal")
        for name, solver in solvers.items():
            _run(folder, name, solver, args)


def _write(folder: Path, names: list[str]) -> dict[str, str]:
    """Write the nets `names`, or all; return {name: solver file}."""
    from benchmarks.training_step import make_tree
    from tests.engine.classic_nets import RULES, write_net

    nets = {f"LeNet {rule}": ("lenet", rule) for rule in RULES}
    for name in ("cifar_full", "cifar_quick", "autoencoder", "siamese"):
        nets[name] = (name, "SGD")
    unknown = set(names) - {_S1R1, *nets}
    if unknown:
        sys.exit(f"no net {min(unknown)!r}; wanted some of {', '.join([_S1R1, *nets])}")
    found = {}
    if not names or _S1R1 in names:
        make_tree(folder)
        found[_S1R1] = "solvers/ck_fold0.prototxt"
    for name, (net, rule) in nets.items():
        if not names or name in names:
            found[name] = write_net(folder, net, rule=rule)
    return found


def _run(folder: str, name: str, solver: str, args: argparse.Namespace) -> None:
    workers = [_Worker(folder, solver, *how) for how in _CONTESTANTS.values()]
    slowest = max(worker.ask("2") for worker in workers) / 2  # compiles and allocates, too
    count = max(1, round(args.seconds / slowest))
    times = [[worker.ask(f"{count}") / count for worker in workers] for _ in range(args.rounds)]
    medians = [statistics.median(column) * 1e3 for column in zip(*times)]
    one, *_, ours, with_two = medians
    digests = [worker.digest() for worker in workers]
    equal = "yes" if digests[0] == digests[2] == digests[3] else "NO"
    cells = "".join(f"{median:26.1f}" for median in medians)
    print(f"{name:20}{cells}  {one / ours:7.2f} {ours / with_two:9.2f}  {equal}", flush=True)


class _Worker:
    """A process that trains as many iterations as it is told."""

    def __init__(self, folder: str, solver: str, kind: str, threads: int) -> None:
        script = ["-m", "benchmarks.caffes_order", "--worker", kind, solver]
        if kind == "caffe":
            preload = ["env", "LD_PRELOAD=libgcnet_layers.so", "GLOG_minloglevel=2"]
            command = [str(_ROOT / "docker" / "caffe"), *preload, "python3", *script]
        else:
            command = [sys.executable, *script]
        environment = {**os.environ, "PYTHONPATH": str(_ROOT), "OPENBLAS_CORETYPE": "Sandybridge"}
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[name] = str(threads)
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _answer(self, what: str) -> str:
        assert self._process.stdin and self._process.stdout
        print(what, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline().strip()
        if not line:
            sys.exit("a contestant has stopped")
        return line

    def ask(self, count: str) -> float:
        """Return the seconds that `count` iterations take."""
        return float(self._answer(count))

    def digest(self) -> str:
        """Return a digest of the learned blobs; the process ends."""
        found = self._answer("digest")
        self._process.communicate()
        return found


def _work(kind: str, path: str) -> None:
    import hashlib

    step, blobs = {"caffe": _caffe, "engine": _engine}[kind](path)
    for line in sys.stdin:
        if line.strip() == "digest":
            print(hashlib.sha256(b"".join(blobs())).hexdigest(), flush=True)
            break
        start = time.perf_counter()
        step(int(line))
        print(time.perf_counter() - start, flush=True)


def _seeded(path: str) -> str:
    """Write the solver with a seed and without tests; return its path."""
    from gcnet_caffe.formats import read_solver, to_text

    param = read_solver(path)
    param.random_seed, param.snapshot_after_train, param.display = 1, False, 0
    for field in ("test_interval", "test_iter", "snapshot"):
        param.ClearField(field)
    made = Path(path).with_suffix(f".{os.getpid()}.prototxt")
    made.write_text(to_text(param))
    return str(made)


def _caffe(path):
    import caffe

    caffe.set_mode_cpu()
    solver = caffe.get_solver(_seeded(path))
    blobs = [blob for blobs in solver.net.params.values() for blob in blobs]
    return solver.step, lambda: [blob.data.tobytes() for blob in blobs]


def _engine(path):
    import io

    from gcnet_caffe.engine.device import choose_device, prepare_torch
    from gcnet_caffe.engine.log import Log
    from gcnet_caffe.engine.options import EngineOptions
    from gcnet_caffe.engine.solver import Solver
    from gcnet_caffe.formats import read_solver

    options = EngineOptions(summation="caffe")
    prepare_torch(options, choose_device(None))
    path = _seeded(path)
    solver = Solver(read_solver(path), path, options=options, log=Log(io.StringIO()))
    layers = solver.net.layers
    blobs = [layer.blob(i).detach() for layer in layers for i in range(len(layer.blobs))]
    return solver.step, lambda: [blob.numpy().tobytes() for blob in blobs]


if __name__ == "__main__":
    main()
