"""What the engine does on a GPU: is it right, how fast is it, does it learn.

    python -m benchmarks.gpu --out runs/gpu                 # all parts but `learned`
    python -m benchmarks.gpu layers nets --limit nets=90    # some parts, and seconds for one
    python -m benchmarks.gpu --device cpu --small           # a rehearsal without a GPU

Each part is a process of its own, which is ended when its seconds are over. gpu.json and gpu.txt
are written anew after each result, so that a run that is cut off still tells. The exit status is 1
if a result is worse than its limit, or a part did not come to its end.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module, util
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.gpu_parts import ROOT, Row, Run
from gcnet_caffe import files


class Part(NamedTuple):
    """A module of gpu_parts, the seconds it may take, and parts of one `stage` run together."""

    module: str
    seconds: int
    stage: int


#: In the order in which they run. What measures time runs alone.
PARTS = {
    "machine": Part("machine", 30, 0),
    "kernels": Part("kernels", 100, 1),
    "layers": Part("layers", 100, 1),
    "random": Part("random", 100, 1),
    "nets": Part("nets", 120, 1),
    "resume": Part("resume", 120, 1),
    "speed": Part("speed", 110, 2),
    "compiled": Part("speed", 140, 3),
    "several": Part("several", 110, 4),
    "profile": Part("profile", 40, 5),
    "learned": Part("learned", 240, 6),
}
#: What the engine imports, and the package on PyPI that has it.
NEEDED = {
    "cv2": "opencv-python-headless",
    "google.protobuf": "protobuf",
    "h5py": "h5py",
    "lmdb": "lmdb",
    "scipy": "scipy",
    "tqdm": "tqdm",
}


def main() -> int:
    """Run the parts, or do what another option says; return the exit status."""
    args = _parser().parse_args()
    if args.worker:
        return _work(args)
    if args.wheels:
        return _fetch(args.wheels, args.packages)
    if args.draw:
        from benchmarks.gpu_parts.learned import draw

        draw(args.parts, args.draw)
        return 0
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        sys.exit(f"part: found {sorted(unknown)[0]!r}, wanted some of {', '.join(PARTS)}")
    _install(args.packages)
    return _Runner(args).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--small", action="store_true", help="small sizes, for a rehearsal")
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder of the results")
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="PART=SECONDS",
        help="seconds of a part; defaults: "
        + ", ".join(f"{name} {part.seconds}" for name, part in PARTS.items()),
    )
    parser.add_argument("--total", type=float, default=460, help="seconds of all parts together")
    parser.add_argument(
        "--data", type=Path, help="learned: a folder of train_lmdb and test_lmdb; default: rendered"
    )
    parser.add_argument("--commit", default="", help="what is measured, where there is no git")
    parser.add_argument(
        "--packages",
        type=Path,
        default=Path("wheels"),
        help="folder of wheels: what Python lacks is installed from there (default: wheels)",
    )
    parser.add_argument(
        "--wheels",
        metavar="NAMES",
        help="only fetch these packages, separated by ',', for Python 3.12 into --packages",
    )
    parser.add_argument(
        "--draw", metavar="PICTURE", help="only draw curves.csv files, given as NAME=FILE"
    )
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=0, help=argparse.SUPPRESS)
    return parser


def _fetch(names: str, folder: Path) -> int:
    """Download wheels for Python 3.12 on Linux: what a machine without a network lacks."""
    platforms = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder)]
    command += ["--only-binary=:all:", "--python-version", "3.12", "--implementation", "cp"]
    command += [word for platform in platforms for word in ("--platform", platform)]
    return subprocess.run([*command, *names.split(",")]).returncode


def _install(folder: Path) -> None:
    """Install what Python lacks from the wheels in `folder`, beside them."""
    site = folder / "site"
    lacking = [package for module, package in NEEDED.items() if not _is_there(module)]
    if lacking and not site.exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps"]
        command += ["--find-links", str(folder), "--target", str(site), *lacking]
        if subprocess.run(command).returncode:
            sys.exit(f"{folder}: wanted wheels of {', '.join(lacking)}: see --wheels")
    if lacking:
        paths = [str(site.resolve()), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def _is_there(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


class _Runner:
    """Runs the parts, and keeps gpu.json and gpu.txt as what is known so far."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._limits = {name: float(part.seconds) for name, part in PARTS.items()}
        for text in args.limit:
            name, _, seconds = text.partition("=")
            self._limits[name] = float(seconds)
        self._names = args.parts or [name for name in PARTS if name != "learned"]
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._found: dict[str, Any] = {"small": args.small, "parts": {}, "rows": []}
        self._lines: list[str] = []
        args.out.mkdir(parents=True, exist_ok=True)

    def run(self) -> int:
        """Run the stages one after the other; return the exit status."""
        stages = sorted({PARTS[name].stage for name in self._names})
        for stage in stages:
            together = [name for name in self._names if PARTS[name].stage == stage]
            with ThreadPoolExecutor(len(together)) as pool:
                list(pool.map(self._run_part, together))
        bad = [row for row in self._found["rows"] if row["good"] is False]
        ended = [name for name, part in self._found["parts"].items() if part["end"] != "done"]
        self._say(f"{len(self._found['rows'])} results, {len(bad)} worse than their limits")
        for row in bad:
            self._say(f"  {row['part']}: {row['what']}: {row['value']} {row['unit']} {row['note']}")
        for name in ended:
            self._say(f"  {name}: {self._found['parts'][name]['end']}")
        return int(bool(bad or ended))

    def _run_part(self, name: str) -> None:
        left = self._args.total - (time.monotonic() - self._start)
        seconds = min(self._limits[name], left)
        begin = time.monotonic()
        end = "no time was left" if seconds < 1 else self._follow(name, seconds)
        with self._lock:
            spent = round(time.monotonic() - begin, 1)
            self._found["parts"][name] = {"seconds": spent, "end": end}
            self._say(f"{name:9} {end} after {spent} s")

    def _follow(self, name: str, seconds: float) -> str:
        """Start a part, take in its rows, and end it in time; return how it ended."""
        command = [sys.executable, "-m", "benchmarks.gpu", "--worker", name]
        command += ["--seconds", str(seconds), *_passed_on(self._args)]
        environment = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", **os.environ}
        errors = self._args.out / "log.txt"
        with open(errors, "a", encoding="utf-8") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        late = threading.Event()

        def stop() -> None:
            late.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            for line in process.stdout or ():
                if line.startswith(Row.MARK):
                    self._take(name, json.loads(line[len(Row.MARK) :]))
            code = process.wait()
        finally:
            timer.cancel()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        if late.is_set():
            return f"was ended at its limit of {seconds:.0f} s"
        return "done" if code == 0 else f"failed with status {code}: see {errors}"

    def _take(self, part: str, row: dict[str, Any]) -> None:
        with self._lock:
            self._found["rows"].append({"part": part, **row})
            if row["good"] is False or not row["quiet"]:
                value = row["value"]
                shown = f"{value:.4g}" if isinstance(value, float) else str(value)
                mark = {True: "ok", False: "FAR", None: ""}[row["good"]]
                self._say(
                    f"{part:9} {row['what']:52} {shown:>12} {row['unit']:8} {mark:3} {row['note']}"
                )

    def _say(self, line: str) -> None:
        print(line, flush=True)
        self._lines.append(line)
        files.write_text(self._args.out / "gpu.txt", "\n".join(self._lines) + "\n")
        files.write_text(self._args.out / "gpu.json", json.dumps(self._found, indent=1) + "\n")


def _passed_on(args: argparse.Namespace) -> Iterator[str]:
    """Yield the options that a worker needs, too; its paths do not depend on the folder."""
    yield from ("--device", args.device, "--out", str(args.out.resolve()))
    yield from ("--commit", args.commit)
    if args.small:
        yield "--small"
    if args.data:
        yield from ("--data", str(args.data.resolve()))


def _work(args: argparse.Namespace) -> int:
    """Run one part in this process, and print its rows."""
    import torch

    device = torch.device(args.device, 0 if args.device == "cuda" else None)
    run = Run(
        part=args.worker,
        device=device,
        small=args.small,
        out=args.out,
        end=time.monotonic() + args.seconds,
        data=args.data,
        commit=args.commit,
    )
    for row in import_module(f"benchmarks.gpu_parts.{PARTS[args.worker].module}").rows(run):
        print(row.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
