"""How far a run is: the trainings' logs followed, for the terminal and for TensorBoard.

All is read from the files that the jobs write, wherever they run.
"""

import json
import shutil
import sys
import time
from pathlib import Path

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import read_solver
from gcnet_caffe.formats.log import parse_progress, read_log

_FRESH = 60  # seconds within which a log has grown if its training is at work
TENSORBOARD = "tensorboard"


class Monitor:
    """Follow the trainings `waiting` of `plan` in the folder `out`.

    On a terminal: a bar of all jobs, and one of each training at work. Elsewhere: a line for each
    training that is over.
    """

    def __init__(self, out, plan, waiting, stream=None):
        self._out = Path(out)
        self._stream = stream or sys.stderr
        self._started = time.time()
        self._waiting = [folder for folder in plan["training"] if folder in waiting]
        self._total = len(plan["training"])
        self._bars, self._board = {}, _Events(self._out / TENSORBOARD)
        self._progress = _progress() if self._stream.isatty() else None

    def __enter__(self):
        before = self._total - len(self._waiting)
        if before:
            self._say(f"{before} of {self._total} trainings are done already")
        if self._progress:
            self._progress.start()
            self._all = self._progress.add_task("trainings", total=self._total, loss="")
        return self

    def __exit__(self, *_):
        if self._progress:
            self._progress.stop()
        self._board.close()

    def update(self):
        """Look at the files again."""
        for folder in list(self._waiting):
            if self._is_over(folder):
                self._waiting.remove(folder)
                self._board.add(folder, self._out / folder / "train.log")
                self._board.end(folder)
                self._end(folder)
            elif self._is_at_work(folder):
                self._board.add(folder, self._out / folder / "train.log")
                self._show(folder)
        if self._progress:
            self._progress.update(self._all, completed=self._total - len(self._waiting))

    def _is_over(self, folder):
        return _changed(self._out / folder / "evaluation.json") > self._started

    def _is_at_work(self, folder):
        changed = _changed(self._out / folder / "train.log")
        return changed > max(self._started, time.time() - _FRESH)

    def _end(self, folder):
        found = json.loads((self._out / folder / "evaluation.json").read_text())
        done = f"{self._total - len(self._waiting)}/{self._total}"
        accuracy = f"accuracy {found['accuracy']:.3f}" if "accuracy" in found else "done"
        if folder in self._bars:
            self._progress.remove_task(self._bars.pop(folder))
        self._say(f"[{done}] {folder}: {accuracy}")

    def _say(self, text):
        if self._progress:
            self._progress.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self._stream, flush=True)

    def _show(self, folder):
        if not self._progress:
            return
        if folder not in self._bars:
            total = read_solver(self._out / folder / "solver.prototxt").max_iter
            self._bars[folder] = self._progress.add_task(folder, total=total, loss="")
        lines = _tail(self._out / folder / "train.log").splitlines()
        told = [found for found in map(parse_progress, lines) if found and found.loss is not None]
        if told:
            last = told[-1]
            text = f"loss {last.loss:g}"
            self._progress.update(self._bars[folder], completed=last.iteration, loss=text)


def _changed(path):
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _tail(path, size=4096):
    with open(path, "rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - size))
        return stream.read().decode(errors="replace")


def _progress():
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[loss]}"), console=Console(stderr=True))


class _Events:
    """TensorBoard event files: every series of the logs, a folder each training."""

    def __init__(self, folder):
        self._folder, self._writers, self._written = folder, {}, {}

    def add(self, name, log):
        """Add what is new in `log`."""
        try:
            series = read_log(log)
        except (GcnetError, FileNotFoundError):
            return
        if name not in self._writers:
            from tensorboardX import SummaryWriter

            shutil.rmtree(self._folder / name, ignore_errors=True)  # of a part of the run before
            self._writers[name] = SummaryWriter(str(self._folder / name))
        for (phase, output), points in series.items():
            key = name, phase, output
            for iteration, value in points:
                if iteration > self._written.get(key, -1):
                    self._writers[name].add_scalar(f"{phase}/{output}", value, iteration)
                    self._written[key] = iteration

    def end(self, name):
        """Close the files of a training."""
        if name in self._writers:
            self._writers.pop(name).close()

    def close(self):
        """Close all files."""
        for name in list(self._writers):
            self.end(name)
