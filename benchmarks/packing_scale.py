"""Packing many images: speed by workers, peak memory by images, and kills; see packing.py.

The images are drawn faces (`gcnet make-faces --kind 2d --identities`), PNG of 250x250, with points.
Memory is the largest sum over the command's processes of their resident sizes, sampled every 50 ms
(libraries count once a process). The killed packing is killed whole, by SIGKILL, at moments drawn
by a seed, and started again until it ends; it must have the records of the others. The packings
take turns; the fastest of the rounds counts, and of memory the largest.
"""

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from gcnet_caffe.datasets.manifest import read_manifest, write_manifest
from gcnet_caffe.formats.lmdb_file import describe

_ROOT = Path(__file__).parents[1]
_IMAGES_PER_IDENTITY = 20
_LMDBS = ("train_lmdb", "test_lmdb")


def measure_scale(folder, images, rounds, kills):
    """Print images per second and peak memory, then what came of the kills."""
    manifests = _render(folder / "faces", images)
    columns = f"{'workers':>8} {'images/s':>9} {'CPU ms/image':>13} {'peak MiB':>9}"
    print(f"\n{'rendered faces':>14} {columns}", flush=True)
    cases = [(count, workers) for count in manifests for workers in (1, 2)]
    runs = [[_pack(folder, manifests[count], w) for count, w in cases] for _ in range(rounds)]
    for (count, workers), (seconds, cpu, peak) in zip(cases, np.array(runs).transpose(1, 2, 0)):
        speed, cpu = count / seconds.min(), 1000 * cpu.min() / count
        print(f"{count:14} {workers:8} {speed:9.0f} {cpu:13.2f} {peak.max():9.0f}", flush=True)
    whole = [describe(folder / "out" / name).sha256 for name in _LMDBS]
    kills = _kill(folder, manifests[images], kills)
    killed = [describe(folder / "killed" / name).sha256 for name in _LMDBS]
    same = "the same records" if whole == killed else "OTHER RECORDS"
    print(f"{kills} kills: {same} (SHA-256 over ordered keys and values: {killed[0][:16]}...)")


def _render(folder, images):
    """Render the faces; return the manifests of a quarter of them and of all, by size."""
    identities = images // _IMAGES_PER_IDENTITY
    options = ["--identities", identities, "--images-per-identity", _IMAGES_PER_IDENTITY]
    words = [
        _ROOT / "tools" / "make_faces.py",
        "--kind",
        "2d",
        "-o",
        folder,
        "--size",
        250,
        *options,
    ]
    subprocess.run([sys.executable, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    rows = read_manifest(folder / "manifest.csv")
    write_manifest(folder / "quarter.csv", rows[: images // 4])
    return {images // 4: folder / "quarter.csv", images: folder / "manifest.csv"}


def _start(manifest, out, workers):
    words = [_ROOT / "tools" / "make_lmdb.py", "identity", manifest, "-o", out]
    command = [sys.executable, *map(str, words), f"--workers={workers}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment, start_new_session=True, **pipes)


def _pack(folder, manifest, workers):
    """Return (seconds, CPU seconds, peak MiB) of one packing into the folder out."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    start, used, peak = time.perf_counter(), _cpu(), 0
    process = _start(manifest, folder / "out", workers)
    while process.poll() is None:
        peak = max(peak, _memory(process.pid))
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(process.stderr.read().decode())
    return seconds, _cpu() - used, peak


def _cpu():
    """CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(group):
    """MiB of the processes of a group."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[2]) == group:
                lines = folder.joinpath("status").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
        except (OSError, ValueError):  # it has ended
            continue
    return total / 1024


def _kill(folder, manifest, kills):
    """Kill a packing up to `kills` times, then let it end; return how often it was killed."""
    rng, left = random.Random(0), kills
    while True:
        process = _start(manifest, folder / "killed", workers=2)
        try:
            error = process.communicate(timeout=rng.uniform(0.5, 4) if left else None)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            left -= 1
            shards = len(list(folder.glob("killed/.packing-*/crops-*")))
            print(f"killed; finished shards: {shards}", flush=True)
            continue
        if process.returncode:
            sys.exit(error.decode())
        return kills - left
