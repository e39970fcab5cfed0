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
from typing import Any

from gcnet_caffe import files
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.errors import NO_FILE, GcnetError, SchemaError, UsageError
from gcnet_caffe.evaluation.run_folder import ResultFolder
from gcnet_caffe.experiment import TRAINING_OPTIONS
from gcnet_caffe.experiment.settings import flags
from gcnet_caffe.formats import caffe_pb, read_binary, read_solver
from gcnet_caffe.formats.log import text_before
from gcnet_caffe.formats.snapshots import iteration_of, snapshot_files, snapshot_folder, states_of
from gcnet_caffe.packing.provenance import PACKED
from gcnet_caffe.real_caffe import tool as caffe_tool

_ORIGIN = "made_with.json"
_PATIENCE = 60  # seconds that a killed training may take to end


def training_flags(options: EngineOptions) -> str:
    """Return the options of `TRAINING_OPTIONS` as `gcnet train-folder` takes them.

    Parameters
    ----------
    options : EngineOptions

    Returns
    -------
    str
        Empty where all are as by default.
    """
    default = EngineOptions()
    given = {name: getattr(options, name) for name in TRAINING_OPTIONS}
    return flags({name: value for name, value in given.items() if value != getattr(default, name)})


def train_folder(
    folder: str | Path,
    engine: str = "torch",
    weights: Sequence[str] = (),
    data: str | None = None,
    gpu_slots: Sequence[int] = (),
    options: EngineOptions | None = None,
) -> None:
    """Train the net of a folder, or resume its training from the last snapshot.

    Parameters
    ----------
    folder : str
        A training folder; the paths in its solver are relative to the current folder.
    engine : str
        One of `experiment.ENGINES`: ``torch`` or ``caffe``.
    weights : sequence of str
        .caffemodel files to start from.
    data : str, optional
        Folder of the LMDBs; if its packed.json changes, training starts again.
    gpu_slots : sequence of int
        A GPU number per training that may run at the same time; the first free one is used.
    options : EngineOptions, optional
        Of the torch engine; snapshots of other ones are not resumed.

    Raises
    ------
    GcnetError
        Training failed, or another process trains here.
    UsageError
        `options` are given for real Caffe; or the solver does not write binary snapshots in
        snapshots/, the last one at the end.
    """
    options = options or EngineOptions()
    if engine != "torch" and training_flags(options):
        raise UsageError(f"{training_flags(options)}: wanted --engine torch, found {engine}")
    job = ResultFolder(Path(folder))
    solvers = job.solvers
    params = [read_solver(path) for path in solvers]
    for path, param in zip(solvers, params):
        _check_solver(job, path, param)
    trains = GcnetError(f"{folder}: another process trains here")
    with files.alone(job.path / ".lock", trains, _PATIENCE), _gpu(gpu_slots) as gpu:
        _forget_others(job.snapshots, _origin(job, engine, weights, data, options))
        snapshots = _newest(engine, [param.snapshot_prefix for param in params])
        if snapshots and job.log.is_file():  # what comes after them is done and logged again
            text = job.log.read_text(encoding="utf-8")
            files.write_text(job.log, text_before(text, iteration_of(snapshots[0]) or 0))
        _start(engine, solvers, job.log, () if snapshots else weights, snapshots, gpu, options)
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


def _start(
    engine: str,
    solvers: Sequence[Path],
    log: Path,
    weights: Sequence[str],
    snapshots: Sequence[str],
    gpu: int | None,
    options: EngineOptions,
) -> None:
    """Train by `solvers`, the second a discriminator's, from `weights` or from `snapshots`."""
    first, *second = map(str, solvers)
    if engine == "caffe":
        caffe_tool.train(first, str(log), weights, ",".join(snapshots), gpu, *second)
        return
    from gcnet_caffe.engine import import_torch

    import_torch()
    from gcnet_caffe.engine.commands import train

    gpus = None if gpu is None else [gpu]
    other = "".join(second)
    train(first, weights, snapshots, gpus, options, discriminator_solver=other, log=str(log))


def _newest(engine: str, prefixes: Sequence[str]) -> list[str]:
    """The newest snapshots of one iteration, one per solver; none if there are none."""
    for iteration, _ in states_of(prefixes[0]):
        found = [f"{prefix}_iter_{iteration}.solverstate" for prefix in prefixes]
        if all(_is_whole(engine, path) for path in found):
            return found
    return []


def _is_whole(engine: str, path: str) -> bool:
    if engine == "torch":
        from gcnet_caffe.engine.snapshot import can_resume

        return can_resume(path)
    with contextlib.suppress(SchemaError, OSError):
        state: Any = read_binary(path, caffe_pb.SolverState)
        read_binary(state.learned_net, caffe_pb.NetParameter)
        return True
    return False


def _origin(
    folder: ResultFolder,
    engine: str,
    weights: Sequence[str],
    data: str | None,
    options: EngineOptions,
) -> dict[str, str]:
    """What the snapshots are made with: the engine, its options, and the SHA-256 of each file."""
    engine = f"{engine} {training_flags(options)}".strip()
    made_with: list[str | Path] = [*folder.nets, *folder.solvers, *weights]
    made_with += [Path(data) / PACKED] if data else []
    try:
        return {"engine": engine, **{str(path): files.sha256(path) for path in made_with}}
    except FileNotFoundError as error:
        raise UsageError(f"{error.filename}: {NO_FILE}; training starts from it") from None


def _forget_others(snapshots: Path, origin: dict[str, str]) -> None:
    """Delete the snapshots of another net, solver, start or data."""
    path = snapshots / _ORIGIN
    if not path.is_file() or json.loads(path.read_text()) != origin:
        shutil.rmtree(snapshots, ignore_errors=True)
        snapshots.mkdir()
        files.write_text(path, json.dumps(origin, indent=2) + "\n")


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
