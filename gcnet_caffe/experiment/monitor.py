"""The progress of a run, for the terminal and for TensorBoard.

All of it is read from the files that the jobs write, wherever they run.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.run_folder import RunFolder
from gcnet_caffe.experiment.plan import Plan
from gcnet_caffe.formats import read_solver
from gcnet_caffe.formats.log import parse_progress, read_log

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_FRESH = 60  # seconds within which the log of a running training has grown
TENSORBOARD = "tensorboard"


class Monitor:
    """Show the progress of trainings; a context manager.

    On a terminal there is a bar for all trainings, and one per running training. Elsewhere there is
    a line per finished training.

    Parameters
    ----------
    out : path
        Folder of the run.
    plan : Plan
    waiting : collection of str
        Folders of the trainings that are not done.
    stream : text file, optional
        Where to write; by default stderr.
    """

    def __init__(
        self,
        out: str | Path,
        plan: Plan,
        waiting: Collection[str],
        stream: TextIO | None = None,
    ) -> None:
        self._run = RunFolder(Path(out))
        self._stream = stream or sys.stderr
        self._started = time.time()
        self._waiting = [folder for folder in plan["training"] if folder in waiting]
        self._total = len(plan["training"])
        self._bars: dict[str, TaskID] = {}
        self._board = _Events(self._run.path / TENSORBOARD)
        self._progress = _progress() if self._stream.isatty() else None

    def __enter__(self) -> Monitor:
        before = self._total - len(self._waiting)
        if before:
            self._say(f"{before} of {self._total} trainings are done already")
        if self._progress:
            self._progress.start()
            self._all = self._progress.add_task("trainings", total=self._total, loss="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress:
            self._progress.stop()
        self._board.close()

    def update(self) -> None:
        """Read the files again and show what is new."""
        for folder in list(self._waiting):
            if self._is_over(folder):
                self._waiting.remove(folder)
                self._board.add(folder, self._run.at(folder).log)
                self._board.end(folder)
                self._end(folder)
            elif self._is_running(folder):
                self._board.add(folder, self._run.at(folder).log)
                self._show(folder)
        if self._progress:
            self._progress.update(self._all, completed=self._total - len(self._waiting))

    def _is_over(self, folder: str) -> bool:
        return _changed(self._run.at(folder).evaluation) > self._started

    def _is_running(self, folder: str) -> bool:
        changed = _changed(self._run.at(folder).log)
        return changed > max(self._started, time.time() - _FRESH)

    def _end(self, folder: str) -> None:
        found = self._run.at(folder).scores()
        done = f"{self._total - len(self._waiting)}/{self._total}"
        accuracy = f"accuracy {found['accuracy']:.3f}" if "accuracy" in found else "done"
        if self._progress and folder in self._bars:
            self._progress.remove_task(self._bars.pop(folder))
        self._say(f"[{done}] {folder}: {accuracy}")

    def _say(self, text: str) -> None:
        if self._progress:
            self._progress.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=self._stream, flush=True)

    def _show(self, folder: str) -> None:
        if not self._progress:
            return
        if folder not in self._bars:
            total = read_solver(self._run.at(folder).solver).max_iter
            self._bars[folder] = self._progress.add_task(folder, total=total, loss="")
        lines = _tail(self._run.at(folder).log).splitlines()
        shown = [found for found in map(parse_progress, lines) if found and found.loss is not None]
        if shown:
            last = shown[-1]
            text = f"loss {last.loss:g}"
            self._progress.update(self._bars[folder], completed=last.iteration, loss=text)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _tail(path: Path, size: int = 4096) -> str:
    with open(path, "rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - size))
        return stream.read().decode(errors="replace")


def _progress() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    loss = TextColumn("{task.fields[loss]}")
    return Progress("{task.description}", *columns, loss, console=Console(stderr=True))


class _Events:
    """TensorBoard event files: every series of the logs, one folder per training."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, Any] = {}  # tensorboardX.SummaryWriter
        self._written: dict[tuple[str, str, str], int] = {}  # the last iteration

    def add(self, name: str, log: Path) -> None:
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

    def end(self, name: str) -> None:
        """Close the files of a training."""
        if name in self._writers:
            self._writers.pop(name).close()

    def close(self) -> None:
        """Close all files."""
        for name in list(self._writers):
            self.end(name)
