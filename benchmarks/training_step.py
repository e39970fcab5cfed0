"""One training step of S1R1 with the batch of 64 that it is committed with, engine beside engine.

Contestants: real Caffe (OpenBLAS), the torch engine, and the hand-written module of the same net
(handwritten_s1r1.py), the last two plain, compiled and in bfloat16, the module also without the
allocator setting of the engine. Each is a process of its own that is told
when to step, so that they take turns, two steps each; the median of the second steps counts. Peak
memory is the process's, less what it had after its imports. The last line says how fast the data
come.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_SOLVER = "solvers/ck_fold0.prototxt"


def main():
    """Print a table of milliseconds a step, ratios and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="rounds, of which the median counts")
    parser.add_argument("--threads", type=int, default=2, help="threads of every contestant")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        _work(args.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_tree(Path(folder))
        workers = [_Worker(name, folder, args.threads) for name in _CONTESTANTS]
        for _ in range(args.rounds):
            for worker in workers:
                worker.step()
        _print_table(workers)
        _print_feed(workers)
        for worker in workers:
            worker.close()


#: name -> the words of its worker: engine, and how it runs.
_CONTESTANTS = {
    "real Caffe": ("caffe", ""),
    "engine": ("engine", ""),
    "engine --compile": ("engine", "compiled"),
    "engine --precision bf16": ("engine", "bf16"),
    "hand-written": ("hand", ""),
    "hand-written, torch.compile": ("hand", "compiled"),
    "hand-written, bf16": ("hand", "bf16"),
    "hand-written, malloc as it is": ("hand", "malloc"),
}
#: How it runs -> whom it is held against.
_RIVALS = {words[1]: name for name, words in _CONTESTANTS.items() if words[0] == "hand"}


class _Worker:
    """A process that does one step for each line it is sent."""

    def __init__(self, name, folder, threads):
        self.name, (kind, how) = name, _CONTESTANTS[name]
        script = [str(Path(__file__)), "--worker", f"{kind}-{how}"]
        if kind == "caffe":
            preload = ["env", "LD_PRELOAD=libgcnet_layers.so", "GLOG_minloglevel=2"]
            command = [str(_ROOT / "docker" / "caffe"), *preload, "python3", *script]
        else:
            command = [sys.executable, *script]
        count = str(threads)
        environment = {**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.times = []
        self._ask()  # the first steps compile and allocate
        self._ask()

    def _ask(self, what="step"):
        print(what, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name}: stopped")
        return [float(word) for word in line.split()]

    def step(self):
        """Do two steps and remember the seconds of the second: the caches are its own again."""
        self._ask()
        seconds, self.memory = self._ask()
        self.times.append(seconds)

    def feed(self):
        """Return the median of the seconds that a batch of data takes."""
        return statistics.median(self._ask("feed")[0] for _ in range(11))

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def _print_table(workers):
    medians = {worker.name: statistics.median(worker.times) for worker in workers}
    print(f"{'S1R1, batch 64':30} {'ms/step':>9} {'x Caffe':>8} {'x hand':>7} {'peak MiB':>9}")
    for worker in workers:
        median = medians[worker.name]
        hand = medians[_RIVALS[_CONTESTANTS[worker.name][1]]]
        print(
            f"{worker.name:30} {median * 1e3:9.0f} {medians['real Caffe'] / median:8.2f} "
            f"{median / hand:7.2f} {worker.memory:9.0f}",
            flush=True,
        )


def _print_feed(workers):
    engine = workers[list(_CONTESTANTS).index("engine")]
    batch, step = engine.feed(), statistics.median(engine.times)
    print(f"data: {batch * 1e3:.2f} ms a batch, {step / batch:.0f} times faster than the net")


def make_tree(folder):
    """The committed files over LMDBs of the demo's kind: smooth pairs of 66x66."""
    import numpy as np

    from gcnet_caffe.formats import caffe_pb
    from gcnet_caffe.formats.lmdb_file import LmdbWriter

    for name in ("prototxt", "solvers"):
        shutil.copytree(_ROOT / name, folder / name)
    (folder / "snapshots").mkdir()
    rng = np.random.default_rng(0)
    for phase, count in (("train", 512), ("test", 98)):
        path = folder / f"data/ck7/fold0/{phase}_lmdb"
        path.parent.mkdir(parents=True, exist_ok=True)
        with LmdbWriter(path) as writer:
            for index in range(count):
                coarse = rng.integers(0, 256, (2, 11, 11))
                pixels = coarse.repeat(6, 1).repeat(6, 2).astype(np.uint8)
                datum = caffe_pb.Datum(channels=2, height=66, width=66, label=index % 7)
                datum.data = pixels.tobytes()
                writer.put(f"{index:08d}", datum.SerializeToString())


def _work(words):
    kind, _, how = words.partition("-")
    if kind == "caffe":
        import caffe  # noqa: F401
    elif kind == "engine":  # first of all, as in gcnet: it says how OpenMP's threads wait
        import gcnet_caffe.engine.commands  # noqa: F401
    else:
        import handwritten_s1r1  # noqa: F401
    before = _peak_memory()
    step, feed = {"caffe": _caffe, "engine": _engine, "hand": _hand}[kind](how)
    for line in sys.stdin:
        start = time.perf_counter()
        feed() if line.strip() == "feed" else step()
        print(time.perf_counter() - start, _peak_memory() - before, flush=True)


def _peak_memory():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _caffe(_):
    import caffe

    caffe.set_mode_cpu()
    solver = caffe.get_solver(_SOLVER)
    return (lambda: solver.step(1)), None


def open_solver(**options):
    """Return the engine's Solver of the committed S1R1 with EngineOptions of `options`."""
    import io

    from gcnet_caffe.engine.device import choose_device, prepare_torch
    from gcnet_caffe.engine.log import Log
    from gcnet_caffe.engine.options import EngineOptions
    from gcnet_caffe.engine.solver import Solver
    from gcnet_caffe.formats import read_solver

    given = EngineOptions(**options)
    prepare_torch(given, choose_device(None))
    return Solver(read_solver(_SOLVER), _SOLVER, options=given, log=Log(io.StringIO()))


def _engine(how):
    precision = "bf16" if how == "bf16" else "fp32"
    solver = open_solver(compile=how == "compiled", precision=precision)
    return (lambda: solver.step(1)), solver.net.next_batch


def _hand(how):
    from handwritten_s1r1 import make_step

    from gcnet_caffe.engine.device import keep_freed_memory

    if how != "malloc":
        keep_freed_memory()
    return make_step(compiled=how == "compiled", bf16=how == "bf16"), None


if __name__ == "__main__":
    main()
