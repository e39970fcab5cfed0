"""The progress of a run, for the terminal and for TensorBoard.

All of it is read from the files that the jobs write, wherever they run.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Collection
from pathlib import Path

from tqdm import tqdm

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.evaluation.run_folder import ResultFolder, RunFolder
from gcnet_caffe.experiment.plan import Plan
from gcnet_caffe.formats import read_solver
from gcnet_caffe.formats.log import read_log

_FRESH = 60  # seconds within which the log of a running training has grown
TENSORBOARD = "tensorboard"
#: Logs of the jobs before the trainings -> what they do. A job's log is made when it starts.
_STAGES = {
    "faces/*.log": "rendering synthetic faces ({})",
    "pairs.log": "aligning and packing the faces",
    "identity.log": "aligning and packing the faces of the pre-training",
    "start.log": "aligning and packing the faces of the start",
}


class Monitor:
    """Show the progress of trainings; a context manager.

    On a terminal there is a bar for all trainings, and one per running training; elsewhere a line
    when a training starts. Everywhere there is a line when faces are rendered or packed, and one
    per finished training.

    Parameters
    ----------
    out : path
        Folder of the run.
    plan : Plan
    waiting : collection of str
        Folders of the trainings that are not done.
    """

    def __init__(self, out: str | Path, plan: Plan, waiting: Collection[str]) -> None:
        self._run = RunFolder(Path(out))
        self._started = time.time()
        self._waiting = [folder for folder in plan["training"] if folder in waiting]
        self._total = len(plan["training"])
        self._running: dict[str, _Training] = {}
        self._said: set[Path] = set()

    def __enter__(self) -> Monitor:
        before = self._total - len(self._waiting)
        if before:
            _say(f"{before} of {self._total} trainings are done already")
        self._bar = tqdm(
            total=self._total, initial=before, desc="trainings", unit="net", disable=None
        )
        return self

    def __exit__(self, *_: object) -> None:
        for training in self._running.values():
            training.close()
        self._bar.close()

    def update(self) -> None:
        """Read the files again and show what is new."""
        logs = self._run.snakemake_log.parent
        for pattern, words in _STAGES.items():
            for log in sorted(logs.glob(pattern)):
                if log not in self._said and _changed(log) > self._started:
                    self._said.add(log)
                    _say(words.format(log.stem))
        for name in list(self._waiting):
            folder = self._run.at(name)
            over = _changed(folder.evaluation) > self._started
            if over or _changed(folder.log) > max(self._started, time.time() - _FRESH):
                if name not in self._running:
                    if self._bar.disable and not over:
                        _say(f"training {name}")
                    board = self._run.path / TENSORBOARD / name
                    self._running[name] = _Training(name, folder, board)
                self._running[name].update()
            if over:
                self._end(name, folder)

    def _end(self, name: str, folder: ResultFolder) -> None:
        self._running.pop(name).close()
        self._waiting.remove(name)
        self._bar.update()
        found = folder.scores()
        done = f"{self._total - len(self._waiting)}/{self._total}"
        accuracy = f"accuracy {found['accuracy']:.3f}" if "accuracy" in found else "done"
        _say(f"[{done}] {name}: {accuracy}")


class _Training:
    """A training: its bar on the terminal, and the series of its log as TensorBoard's events."""

    def __init__(self, name: str, folder: ResultFolder, board: Path) -> None:
        self._log = folder.log
        total = read_solver(folder.solver).max_iter
        self._bar = tqdm(total=total, desc=name, unit="it", leave=False, disable=None)
        shutil.rmtree(board, ignore_errors=True)  # of a part of the run before
        from tensorboardX import SummaryWriter  # imports PyTorch

        self._writer = SummaryWriter(str(board))
        self._written: dict[tuple[str, str], int] = {}  # the last iteration

    def update(self) -> None:
        """Show what is new in the log."""
        try:
            series = read_log(self._log)
        except (GcnetError, FileNotFoundError):
            return
        for key, points in series.items():
            for iteration, value in points:
                if iteration > self._written.get(key, -1):
                    self._writer.add_scalar("/".join(key), value, iteration)
                    self._written[key] = iteration
        for iteration, loss in series.get(("Train", "total loss"), ())[-1:]:
            self._bar.set_postfix_str(f"loss {loss:g}", refresh=False)
            self._bar.update(iteration - self._bar.n)

    def close(self) -> None:
        """Remove the bar and close the files."""
        self._bar.close()
        self._writer.close()


def _say(text: str) -> None:
    tqdm.write(text, file=sys.stderr)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
