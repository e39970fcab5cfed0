"""Latency and throughput of the back ends, on the network that comes with the package.

Each back end is a process of its own that is told what to do, so that they take turns; the median
of the rounds counts. "network" is the call on aligned faces, 1 and 64 at once; "picture" is all of
`Recognizer.predict` on a PNG in memory: decoding, detection, alignment, network. With --fer, the
library fer (its detector and network) looks at the same picture, in the Python that is given.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_CALLS = {"1": 15, "64": 1, "picture": 5}  # calls of which a round takes the mean


def main():
    """Print a table of milliseconds and faces a second."""
    from gcnet_caffe.inference.network import ENGINES

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="rounds, of which the median counts")
    parser.add_argument("--threads", type=int, default=2, help="threads of every contestant")
    parser.add_argument("--fer", metavar="PYTHON", help="a Python where the library fer is")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        _work(*args.worker)
        return
    with tempfile.TemporaryDirectory() as folder:
        picture = _render(Path(folder))
        workers = [_Worker(name, sys.executable, picture, args.threads) for name in ENGINES]
        if args.fer:
            workers.append(_Worker("fer", args.fer, picture, args.threads))
        for _ in range(args.rounds):
            for worker in workers:
                worker.round()
        _print_table(workers)
        for worker in workers:
            worker.close()


class _Worker:
    """A process that answers each line with seconds."""

    def __init__(self, name, python, picture, threads):
        self.name = name
        names = ("OMP_NUM", "OPENBLAS_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
        environment = {**os.environ, **{f"{name}_THREADS": str(threads) for name in names}}
        self._process = subprocess.Popen(
            [python, str(Path(__file__)), "--worker", name, str(picture)],
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.opened = float(self._answer())
        self.times = {what: [] for what in self._answer().split()}

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"{self.name}: stopped")
        return line

    def round(self):
        """Ask for everything that it can do, once."""
        for what, times in self.times.items():
            print(what, file=self._process.stdin, flush=True)
            times.append(float(self._answer()))

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def _print_table(workers):
    print(
        f"{'':12} {'open, ms':>9} {'1 face, ms':>11} {'64 faces, ms':>13} {'faces/s':>8} "
        f"{'picture, ms':>12}"
    )
    for worker in workers:
        found = {what: statistics.median(times) for what, times in worker.times.items()}
        cells = [
            f"{worker.name:12}",
            f"{worker.opened * 1e3:9.0f}",
            f"{found['1'] * 1e3:11.1f}" if "1" in found else " " * 11,
            f"{found['64'] * 1e3:13.0f}" if "64" in found else " " * 13,
            f"{64 / found['64']:8.0f}" if "64" in found else " " * 8,
            f"{found['picture'] * 1e3:12.1f}",
        ]
        print(" ".join(cells), flush=True)


def _render(folder):
    """Write a rendered face of 240x240 pixels as a PNG; return its path."""
    import cv2

    from gcnet_caffe.rendering.sequence import render_sequence
    from gcnet_caffe.rendering.subject import draw_subject

    rng = np.random.default_rng(3)
    images = list(render_sequence(draw_subject(rng), "happy", 4, (240, 240), rng))
    cv2.imwrite(str(folder / "face.png"), images[-1][0])
    return folder / "face.png"


def _work(name, picture):
    import cv2

    cv2.setNumThreads(int(os.environ["OMP_NUM_THREADS"]))
    data = Path(picture).read_bytes()
    start = time.perf_counter()
    calls = _fer(data) if name == "fer" else _ours(name, data)
    print(time.perf_counter() - start, flush=True)
    for call in calls.values():
        call()
    print(*calls, flush=True)
    for line in sys.stdin:
        call, count = calls[line.strip()], _CALLS[line.strip()]
        call()  # its own caches are warm again
        start = time.perf_counter()
        for _ in range(count):
            call()
        print((time.perf_counter() - start) / count, flush=True)


def _ours(name, data):
    from gcnet_caffe.faces.landmarks import Detector, detector_model
    from gcnet_caffe.inference.network import open_network
    from gcnet_caffe.recognition.find_model import open_model
    from gcnet_caffe.recognition.recognizer import Recognizer

    model = open_model()
    network = open_network(name, model.net, model.weights, model.outputs, fast=True)
    recognizer = Recognizer(model, network, Detector(detector_model(None)))
    faces = np.random.default_rng(0).random((64, 1, 64, 64), np.float32)
    return {
        "1": lambda: network.forward({"query": faces[:1]}),
        "64": lambda: network.forward({"query": faces}),
        "picture": lambda: recognizer.predict(data),
    }


def _fer(data):
    import cv2
    from fer.fer import FER

    detector = FER()

    def look():
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if not detector.detect_emotions(image):
            sys.exit("no face found")

    return {"picture": look}


if __name__ == "__main__":
    main()
