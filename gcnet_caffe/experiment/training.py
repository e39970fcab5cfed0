"""Train the net of one folder, from its last snapshot if there is one.

A training folder has train_test.prototxt and solver.prototxt; training adds train.log and, at the
end, weights.caffemodel. If it has a discriminator_solver.prototxt too, the two train in turns
(engine/alternation.py), and the weights are those of both. During training the folder snapshots/
has the snapshots. They belong to the net, solver, weights and data that they were made with: when
one of these changes, training starts again.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from gcnet_caffe import files
from gcnet_caffe.errors import GcnetError, SchemaError, UsageError
from gcnet_caffe.evaluation.run_folder import ResultFolder
from gcnet_caffe.formats import caffe_pb, read_binary, read_solver
from gcnet_caffe.formats.log import text_before
from gcnet_caffe.formats.snapshots import iteration_of, snapshot_files, snapshot_folder, states_of
from gcnet_caffe.real_caffe import tool as caffe_tool

_ORIGIN = "made_with.json"


def train_folder(
    folder: str | Path,
    engine: str = "torch",
    weights: Sequence[str] = (),
    data: str | None = None,
    gpu_slots: Sequence[int] = (),
) -> None:
    """Train the net of a folder, or resume its training from the last snapshot.

    Parameters
    ----------
    folder : str
        A training folder; the paths in its solver are relative to the current folder.
    engine : str
        One of `ENGINES`: ``torch`` or ``caffe``.
    weights : sequence of str
        .caffemodel files to start from.
    data : str, optional
        Folder of the LMDBs; if its packed.json changes, training starts again.
    gpu_slots : sequence of int
        A GPU number per training that may run at the same time; the first free one is used.

    Raises
    ------
    GcnetError
        Training failed, or another process trains here.
    UsageError
        The solver does not write binary snapshots in snapshots/, the last one at the end.
    """
    job = ResultFolder(Path(folder))
    solvers = job.solvers
    params = [read_solver(path) for path in solvers]
    for path, param in zip(solvers, params):
        _check_solver(job, path, param)
    with _alone(job.path), _gpu(gpu_slots) as gpu:
        _forget_others(job.snapshots, _origin(job, engine, weights, data))
        snapshots = _newest(engine, [param.snapshot_prefix for param in params])
        if snapshots:
            _cut_log(job.log, iteration_of(snapshots[0]) or 0)
        start = () if snapshots else weights
        ENGINES[engine]([str(path) for path in solvers], str(job.log), start, snapshots, gpu)
        param = params[0]
        last = snapshot_files(param, param.max_iter).model
        if not Path(last).is_file():
            raise GcnetError(f"{folder}: training stopped before iteration {param.max_iter}")
        with files.atomic(job.weights, overwrite=True) as scratch:
            shutil.copyfile(last, scratch)
        shutil.rmtree(job.snapshots)


def _check_solver(folder: ResultFolder, path: Path, param: Any) -> None:
    """Check that the solver writes its last weights in snapshots/.

    Raises
    ------
    UsageError
        It writes its snapshots elsewhere, not in binary, or none at the last iteration.
    """
    if snapshot_folder(param).resolve() != folder.snapshots.resolve():
        raise UsageError(
            f"{path}: snapshot_prefix: found {param.snapshot_prefix!r}, wanted one in "
            f"{folder.snapshots}"
        )
    if param.snapshot_format == param.HDF5:
        raise UsageError(f"{path}: snapshot_format: found HDF5, wanted BINARYPROTO")
    if not param.snapshot_after_train and (not param.snapshot or param.max_iter % param.snapshot):
        raise UsageError(f"{path}: snapshot_after_train: found false, wanted true")


class _Train(Protocol):
    """Train by `solvers`, the second a discriminator's, from `weights` or from `snapshots`."""

    def __call__(
        self,
        solvers: list[str],
        log: str,
        weights: Sequence[str],
        snapshots: Sequence[str],
        gpu: int | None,
    ) -> None: ...


def _by_torch(
    solvers: list[str],
    log: str,
    weights: Sequence[str],
    snapshots: Sequence[str],
    gpu: int | None,
) -> None:
    from gcnet_caffe.engine import import_torch

    import_torch()
    from gcnet_caffe.engine.commands import train

    second = solvers[1] if solvers[1:] else ""
    gpus = None if gpu is None else [gpu]
    train(solvers[0], weights, snapshots, gpus, discriminator_solver=second, log=log)


def _by_caffe(
    solvers: list[str],
    log: str,
    weights: Sequence[str],
    snapshots: Sequence[str],
    gpu: int | None,
) -> None:
    caffe_tool.train(solvers[0], log, weights, ",".join(snapshots), gpu, *solvers[1:])


#: Engine -> how it trains.
ENGINES: dict[str, _Train] = {"torch": _by_torch, "caffe": _by_caffe}


def _newest(engine: str, prefixes: Sequence[str]) -> list[str]:
    """The newest snapshots of one iteration, one per solver; none if there are none."""
    below = None
    while newest := _newest_of(engine, prefixes[0], below):
        below = iteration_of(newest) or 0
        found = [_newest_of(engine, prefix, below + 1) for prefix in prefixes]
        if all(path and iteration_of(path) == below for path in found):
            return found
    return []


def _newest_of(engine: str, prefix: str, below: int | None) -> str:
    if engine == "torch":
        from gcnet_caffe.engine.snapshot import newest_snapshot

        return newest_snapshot(prefix, below)
    for _, path in states_of(prefix, below):
        with contextlib.suppress(SchemaError, OSError):
            state: Any = read_binary(path, caffe_pb.SolverState)
            read_binary(state.learned_net, caffe_pb.NetParameter)
            return str(path)
    return ""


def _origin(
    folder: ResultFolder, engine: str, weights: Sequence[str], data: str | None
) -> dict[str, str]:
    """What the snapshots are made with: the engine, and the SHA-256 of each file."""
    made_with: list[str | Path] = [*folder.nets, *folder.solvers, *weights]
    made_with += [Path(data) / "packed.json"] if data else []
    return {"engine": engine, **{str(path): _sha256(path) for path in made_with}}


def _sha256(path: str | Path) -> str:
    try:
        return files.sha256(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; training starts from it") from None


def _forget_others(snapshots: Path, origin: dict[str, str]) -> None:
    """Delete the snapshots of another net, solver, start or data."""
    path = snapshots / _ORIGIN
    if not path.is_file() or json.loads(path.read_text()) != origin:
        shutil.rmtree(snapshots, ignore_errors=True)
        snapshots.mkdir()
        files.write_text(path, json.dumps(origin, indent=2) + "\n")


def _cut_log(log: Path, iteration: int) -> None:
    """Cut the log at the snapshot's iteration: the later ones are done and logged again."""
    if not log.is_file():
        return
    files.write_text(log, text_before(log.read_text(encoding="utf-8"), iteration))


@contextlib.contextmanager
def _alone(folder: Path, patience: float = 60) -> Iterator[None]:
    """Lock the folder; the lock ends with the process."""
    with files.locked(folder / ".lock", patience) as ours:
        if not ours:
            raise GcnetError(f"{folder}: another process trains here")
        yield


@contextlib.contextmanager
def _gpu(slots: Sequence[int]) -> Iterator[int | None]:
    """Yield the GPU number of a free slot; None without slots."""
    if not slots:
        yield None
        return
    folder = Path(".gpu_slots")
    folder.mkdir(exist_ok=True)
    while True:
        for place, gpu in enumerate(slots):
            with files.locked(folder / str(place)) as ours:
                if ours:
                    yield gpu
                    return
        time.sleep(1)
