"""Train the net of one folder, from its last snapshot where there is one.

A training folder holds train_test.prototxt and solver.prototxt; training adds train.log and, when
it is over, weights.caffemodel. Where it holds a discriminator_solver.prototxt too, the two train in
turns (engine/alternation.py), and the weights are those of both. Until then snapshots lie in
snapshots/. They belong to the very net, solver, weights and data they were made with: after a
change of one of them training starts again.
"""

import contextlib
import json
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional, Union

from gcnet_caffe import files
from gcnet_caffe.errors import GcnetError, SchemaError, UsageError
from gcnet_caffe.formats import caffe_pb, read_binary, read_solver
from gcnet_caffe.formats.snapshots import iteration_of, snapshot_files, snapshot_folder, states_of
from gcnet_caffe.real_caffe import tool as caffe_tool

_SNAPSHOTS, _ORIGIN = "snapshots", "made_with.json"


def train_folder(
    folder: Union[str, Path],
    engine: str = "torch",
    weights: Sequence[str] = (),
    data: Optional[str] = None,
    gpu_slots: Sequence[int] = (),
) -> None:
    """Train the net of `folder`; a second call after a kill goes on from the last snapshot.

    Parameters
    ----------
    folder : str
        A training folder, as its solver names it.
    engine : str
        torch or caffe.
    weights : sequence of str
        .caffemodel files to start from.
    data : str, optional
        Folder of the LMDBs; its packed.json tells when they are others.
    gpu_slots : sequence of int
        GPU numbers, one for each training that may run at once: the first free one is used.

    Raises
    ------
    GcnetError
        Training failed, or another process trains here.
    UsageError
        The solver's snapshots are not binary files in snapshots/, up to the last iteration.
    """
    folder = Path(folder)
    solvers = [folder / "solver.prototxt", *folder.glob("discriminator_solver.prototxt")]
    params = [read_solver(path) for path in solvers]
    for path, param in zip(solvers, params):
        _check_solver(folder, path, param)
    with _alone(folder), _gpu(gpu_slots) as gpu:
        _forget_others(folder, _origin(folder, engine, weights, data))
        snapshots = _newest(engine, [param.snapshot_prefix for param in params])
        log = folder / "train.log"
        if snapshots:
            _cut_log(log, iteration_of(snapshots[0]))
        start = () if snapshots else weights
        ENGINES[engine]([str(path) for path in solvers], str(log), start, snapshots, gpu)
        param = params[0]
        last = snapshot_files(param, param.max_iter).model
        if not Path(last).is_file():
            raise GcnetError(f"{folder}: training stopped before iteration {param.max_iter}")
        with files.atomic(folder / "weights.caffemodel", overwrite=True) as scratch:
            shutil.copyfile(last, scratch)
        shutil.rmtree(folder / _SNAPSHOTS)


def _check_solver(folder: Path, path: Path, param: Any) -> None:
    """Check that the solver leaves its last weights where they are looked for.

    Raises
    ------
    UsageError
        Its snapshots lie elsewhere, are not binary, or the last is none of the last iteration.
    """
    if snapshot_folder(param).resolve() != (folder / _SNAPSHOTS).resolve():
        raise UsageError(
            f"{path}: snapshot_prefix: found {param.snapshot_prefix!r}, wanted one in "
            f"{folder / _SNAPSHOTS}"
        )
    if param.snapshot_format == param.HDF5:
        raise UsageError(f"{path}: snapshot_format: found HDF5, wanted BINARYPROTO")
    if not param.snapshot_after_train and (not param.snapshot or param.max_iter % param.snapshot):
        raise UsageError(f"{path}: snapshot_after_train: found false, wanted true")


def _by_torch(solvers, log, weights, snapshots, gpu):
    from gcnet_caffe.engine import import_torch

    import_torch()
    from gcnet_caffe.engine.commands import train

    second = solvers[1] if solvers[1:] else ""
    gpus = None if gpu is None else [gpu]
    train(solvers[0], weights, snapshots, gpus, discriminator_solver=second, log=log)


def _by_caffe(solvers, log, weights, snapshots, gpu):
    caffe_tool.train(solvers[0], log, weights, ",".join(snapshots), gpu, *solvers[1:])


#: Engine -> how it trains.
ENGINES = {"torch": _by_torch, "caffe": _by_caffe}


def _newest(engine, prefixes):
    """The newest snapshots of one iteration, of each solver one, or ()."""
    below = None
    while newest := _newest_of(engine, prefixes[0], below):
        below = iteration_of(newest)
        found = [_newest_of(engine, prefix, below + 1) for prefix in prefixes]
        if all(path and iteration_of(path) == below for path in found):
            return found
    return ()


def _newest_of(engine: str, prefix: str, below: Optional[int]) -> str:
    if engine == "torch":
        from gcnet_caffe.engine.snapshot import newest_snapshot

        return newest_snapshot(prefix, below)
    for _, path in states_of(prefix, below):
        with contextlib.suppress(SchemaError, OSError):
            state = read_binary(path, caffe_pb.SolverState)
            read_binary(state.learned_net, caffe_pb.NetParameter)
            return str(path)
    return ""


def _origin(folder, engine, weights, data):
    """What the snapshots are made with."""
    names = ("train_test.prototxt", "solver.prototxt")
    second = (path for name in names for path in folder.glob(f"discriminator_{name}"))
    made_with = [*(folder / name for name in names), *second, *weights]
    made_with += [Path(data) / "packed.json"] if data else []
    return {"engine": engine, **{str(path): _sha256(path) for path in made_with}}


def _sha256(path: Union[str, Path]) -> str:
    try:
        return files.sha256(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; wanted what training starts from") from None


def _forget_others(folder: Path, origin: dict[str, str]) -> None:
    """Remove the snapshots of another net, solver, start or data."""
    snapshots = folder / _SNAPSHOTS
    path = snapshots / _ORIGIN
    if not path.is_file() or json.loads(path.read_text()) != origin:
        shutil.rmtree(snapshots, ignore_errors=True)
        snapshots.mkdir()
        files.write_text(path, json.dumps(origin, indent=2) + "\n")


def _cut_log(log, iteration):
    """Cut the log where the snapshot was taken: what came after is trained, and logged, again."""
    if not log.is_file():
        return
    kept = []
    for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
        found = re.search(r"\] (?:discriminator: )?Iteration (\d+)", line)
        if (found and int(found[1]) >= iteration) or not line.endswith("\n"):
            break
        kept.append(line)
    files.write_text(log, "".join(kept))


@contextlib.contextmanager
def _alone(folder, patience=60):
    """Hold the folder; the lock goes with the process, however it ends."""
    with files.locked(folder / ".lock", patience) as ours:
        if not ours:
            raise GcnetError(f"{folder}: another process trains here")
        yield


@contextlib.contextmanager
def _gpu(slots):
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
