"""Curves of loss and accuracy of S1R1 and cnn, from a seed, in as many seconds as there are.

The set is rendered: people and sequences as many as CK+ has; fold 0 is tested. The random numbers
are CPU Caffe's, so that a CPU and a GPU have the same start weights, batches and masks.
"""

from __future__ import annotations

import contextlib
import csv
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu_parts import Row, Run, said
from gcnet_caffe import cli
from gcnet_caffe.engine import signals
from gcnet_caffe.engine.device import prepare_torch
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import read_solver
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.plotting import import_pyplot, save_figure

_VARIANTS = ("S1R1", "cnn")
_COLUMNS = ("variant", "phase", "name", "iteration", "value")
_MARGIN = 5  # seconds for the last test and the files


def rows(run: Run) -> Iterator[Row]:
    """Yield the last accuracies; write curves.csv, anew after each variant."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _rows(run, Path(folder))


def _rows(run: Run, folder: Path) -> Iterator[Row]:
    begin = time.monotonic()
    data = (run.data or _render(folder, run)).resolve()
    yield Row("rendering and packing", time.monotonic() - begin, "s")
    table: list[tuple[str, str, str, int, float]] = []
    for place, variant in enumerate(_VARIANTS):
        seconds = (run.left - _MARGIN) / (len(_VARIANTS) - place)
        try:
            log, iterations, spent = _train(run, folder / variant, data, variant, seconds)
        except Exception as wrong:  # the other variant counts, too
            yield Row(variant, "failed", limit=0, note=said(wrong))
            continue
        yield Row(f"{variant}: iterations", iterations, note=f"in {spent:.0f} s")
        for (phase, name), points in read_log(log).items():
            table += [(variant, phase, name, *point) for point in points]
            if (phase, name) == ("Test", "accuracy"):
                yield Row(f"{variant}: accuracy", points[-1][1], note=f"iteration {points[-1][0]}")
        with open(run.out / "curves.csv", "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([_COLUMNS, *table])


def _render(folder: Path, run: Run) -> Path:
    """Render the faces and pack fold 0; return the folder of its LMDBs."""
    faces, manifest = str(folder / "faces"), str(folder / "faces.csv")
    how = ["--kind", "2d", "--subjects", "2", "--frames", "4"] if run.small else ["--like-ck"]
    workers = ["--workers", "1"] if run.small else []
    _gcnet("make-faces", "-o", faces, *how, *workers)
    _gcnet("make-manifest", "ck", "--root", faces, "-o", manifest)
    folds = ["--folds", "2", "--copies", "1"] if run.small else []
    _gcnet(
        "make-lmdb", "pairs", manifest, "-o", str(folder / "data"), "--fold", "0", *folds, *workers
    )
    return folder / "data/fold0"


def _train(
    run: Run, folder: Path, data: Path, variant: str, seconds: float
) -> tuple[Path, int, float]:
    """Train for so many seconds; return the log, the iterations and the seconds."""
    given = ["--variant", variant, "--data", str(data), "-o", str(folder)]
    given += ["--fit-test", "--short-names"]
    batch = ["--batch-size", "4"] if run.small else []
    _gcnet("make-net", *given, "--fit-classes", *batch)
    often = ("1", "2") if run.small else ("20", "200")
    path = str(folder / "solver.prototxt")
    _gcnet(
        "make-solver",
        *given,
        "--net",
        str(folder / "train_test.prototxt"),
        "--snapshot-prefix",
        str(folder / "net"),
        "--random-seed",
        "1",
        "--display",
        often[0],
        "--test-interval",
        often[1],
        "--snapshot",
        "0",
    )
    options = EngineOptions(rng="caffe", cuda_graphs=run.device.type == "cuda")
    prepare_torch(options, run.device)
    begin = time.monotonic()

    def requested() -> str:
        over = run.small and solver.iteration > 2 or time.monotonic() - begin > seconds
        return signals.STOP if over else signals.NONE

    log = folder / "train.log"
    with open(log, "w", encoding="utf-8") as stream:
        param = read_solver(path)
        param.snapshot_after_train = False
        solver = Solver(param, path, run.device, options, log=Log(stream), requested=requested)
        solver.solve()
    return log, solver.iteration, time.monotonic() - begin


def _gcnet(*words: str) -> None:
    with contextlib.redirect_stdout(sys.stderr):  # results have stdout for themselves
        status = cli.main(list(words))
    if status:
        raise GcnetError(f"gcnet {' '.join(words)}: exit status {status}")


def draw(given: list[str], picture: str) -> None:
    """Draw the loss and accuracy of several curves.csv, given as NAME=FILE, in one picture."""
    pyplot = import_pyplot()
    figure, axes = pyplot.subplots(len(_VARIANTS), 2, figsize=(10, 7), squeeze=False)
    styles = ("-", "--", ":", "-.")
    for place, text in enumerate(given):
        name, _, path = text.partition("=")
        with open(path, newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        for line, variant in enumerate(_VARIANTS):
            wanted = (("Train", "total loss"), ("Test", "accuracy"))
            for column, key in enumerate(wanted):
                points = [
                    (int(row["iteration"]), float(row["value"]))
                    for row in table
                    if (row["variant"], row["phase"], row["name"]) == (variant, *key)
                ]
                axis = axes[line][column]
                axis.plot(*zip(*points), styles[place % len(styles)], label=name) if points else 0
                axis.set(title=f"{variant}: {key[1]}, {key[0]}", xlabel="iteration")
                axis.legend()
    figure.tight_layout()
    save_figure(figure, picture, 120)
