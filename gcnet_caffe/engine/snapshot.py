"""Snapshots: weights, the solver's state, and a side file for a resume that is exact.

Source: Caffe src/caffe/solver.cpp (Snapshot) and src/caffe/solvers/sgd_solver.cpp
(SnapshotSolverState..., RestoreSolverState...). Caffe's .solverstate holds neither random numbers
nor the place in the data. The side file `<prefix>_iter_N.resume.json` does, and the SHA-256 of the
two files that it belongs to; it is written last.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe import files
from gcnet_caffe.engine.weights import write_caffemodel
from gcnet_caffe.errors import GcnetError, NetError, WeightsError
from gcnet_caffe.formats import caffe_pb, read_binary
from gcnet_caffe.formats.blobs import MAX_BYTES, Blob, blob_from_proto, with_blobs
from gcnet_caffe.formats.hdf5 import is_hdf5, opened
from gcnet_caffe.formats.snapshots import (
    SnapshotFiles,
    check_hdf5_names,
    iteration_of,
    snapshot_files,
    states_of,
)

if TYPE_CHECKING:
    import torch

    from gcnet_caffe.engine.log import Log
    from gcnet_caffe.engine.solver import Solver

#: Room for the text in a binary file, in bytes.
_NOT_NUMBERS = 2**20


class Snapshot(NamedTuple):
    """What a .solverstate says, and the side file.

    Attributes
    ----------
    iteration, current_step : int
        How many updates and, of a learning rate with steps, how many steps there have been.
    learned_net : str
        The .caffemodel.
    history : list of array of float32
        The updater's, in its order.
    exact : list or None
        The side file's state of each rank.
    """

    iteration: int
    current_step: int
    learned_net: str
    history: list[NDArray[np.float32]]
    exact: list[Any] | None = None


def check_snapshots(solver: Solver) -> None:
    """Check, before it trains, that the net of `solver` fits the snapshots that it will write.

    Layers of one name are a warning: a layer's weights are restored by its name.

    Raises
    ------
    NetError
        See `_check_format`.
    """
    if not (solver.param.snapshot or solver.param.snapshot_after_train):
        return
    _check_format(solver)
    net = solver.net
    for name, count in Counter(layer.name for layer in net.layers).items():
        if count > 1 and any(layer.blobs for layer in net.layers if layer.name == name):
            solver.log.warning(
                f"{net.origin}: {count} layers are called {name!r}, and a snapshot's weights are "
                "copied by name: theirs cannot be restored"
            )


def _check_format(solver: Solver) -> None:
    """Check that the net of `solver` can be held by a file of its snapshot_format.

    Raises
    ------
    NetError
        HDF5: a layer's name cannot be a group's. Binary: the file would be larger than Caffe reads.
    """
    param, net = solver.param, solver.net
    if param.snapshot_format == param.HDF5:
        check_hdf5_names((layer.name for layer in net.layers), net.origin)
        return
    shapes = [shape for layer in net.layers for shape in layer.blob_shapes]
    weights = sum(map(math.prod, shapes)) * (2 if param.snapshot_diff else 1)
    history = sum(tensor.numel() for tensor in solver.updater.history)
    if 4 * max(weights, history) > MAX_BYTES - _NOT_NUMBERS:
        raise NetError(
            f"{solver.origin}: a snapshot has {max(weights, history)} numbers, and Caffe cannot "
            "read a binary file above 2 GB; wanted snapshot_format: HDF5"
        )


def write_snapshot(solver: Solver, exact: list[Any] | None, log: Log) -> SnapshotFiles:
    """Write the weights, the state and the side file of `solver`, each whole or not at all.

    Parameters
    ----------
    solver : Solver
    exact : list, or None
        The state of each rank for an exact resume, of what JSON can hold; None where there is none.
    log : Log

    Returns
    -------
    SnapshotFiles
        The files.

    Raises
    ------
    NetError
        See `_check_format`: nothing is written.
    """
    _check_format(solver)
    param = solver.param
    kind = "HDF5" if param.snapshot_format == param.HDF5 else "binary proto"
    made = model, state, side = snapshot_files(param, solver.iteration)
    Path(side).unlink(missing_ok=True)
    log(f"Snapshotting to {kind} file {model}")
    write_caffemodel(solver.net, model, param.snapshot_diff)
    log(f"Snapshotting solver state to {kind} file {state}")
    history = [tensor.detach().cpu().contiguous().numpy() for tensor in solver.updater.history]
    found = Snapshot(solver.iteration, solver.current_step, model, history)
    (_write_hdf5 if is_hdf5(state) else _write_binary)(found, state)
    sums = {Path(path).name: files.sha256(path) for path in (model, state)}
    files.write_text(side, json.dumps({"sha256": sums, "ranks": exact}))
    return made


def _write_binary(found: Snapshot, path: str) -> None:
    state = caffe_pb.SolverState(
        iter=found.iteration, learned_net=found.learned_net, current_step=found.current_step
    )
    with files.atomic(path, overwrite=True) as scratch, open(scratch, "wb") as file:
        file.writelines(with_blobs(state, "history", map(Blob, found.history)))


def _write_hdf5(found: Snapshot, path: str) -> None:
    with files.atomic(path, overwrite=True) as scratch, opened(scratch, "w") as file:
        for name, value in (("iter", found.iteration), ("current_step", found.current_step)):
            file.create_dataset(name, data=np.array([value], np.int32))
        file.create_dataset("learned_net", data=np.bytes_(found.learned_net.encode() + b"\0"))
        history = file.create_group("history")
        for index, array in enumerate(found.history):
            history.create_dataset(str(index), data=array)


def read_snapshot(path: str, history: Sequence[torch.Tensor]) -> Snapshot:
    """Read the .solverstate at `path`.

    Parameters
    ----------
    path : str
        Ending in .h5 for HDF5.
    history : list of tensor
        The solver's own: number and shapes must be the same.

    Returns
    -------
    Snapshot

    Raises
    ------
    WeightsError
        It cannot be read, or belongs to another net or solver, or its side file to another
        snapshot. The message names the snapshot before it.
    """
    try:
        found = _read(path)
        _check_history(path, found, history)
    except GcnetError as error:
        iteration = iteration_of(path)
        prefix = path.rpartition("_iter_")[0]
        earlier = newest_snapshot(prefix, iteration) if iteration is not None else ""
        offer = f"; the snapshot before it: {earlier}" if earlier else ""
        raise WeightsError(f"{error}{offer}") from None
    return found


def _read(path: str | Path) -> Snapshot:
    """Read the .solverstate at `path`, and find the weights and the side file."""
    found = _read_hdf5(path) if is_hdf5(path) else _read_binary(path)
    model = _find_model(path, found.learned_net)
    return found._replace(learned_net=model, exact=_read_side(path, model))


def _read_binary(path: str | Path) -> Snapshot:
    state: Any = read_binary(path, caffe_pb.SolverState)
    if not state.HasField("iter"):
        raise WeightsError(f"{path}: not a .solverstate (is it the .caffemodel?)")
    try:
        history = [blob_from_proto(blob) for blob in state.history]
    except ValueError as error:
        raise WeightsError(f"{path}: history: {error}") from None
    return Snapshot(state.iter, state.current_step, state.learned_net, history)


def _read_hdf5(path: str | Path) -> Snapshot:
    with opened(path) as file:
        names = sorted(file["history"], key=int)
        learned = file["learned_net"][()] if "learned_net" in file else b""
        return Snapshot(
            int(np.ravel(file["iter"])[0]),
            int(np.ravel(file["current_step"])[0]),
            bytes(learned).rstrip(b"\0").decode(),
            [np.array(file["history"][name], np.float32) for name in names],
        )


def _check_history(path: str, found: Snapshot, history: Sequence[torch.Tensor]) -> None:
    if len(found.history) != len(history):
        raise WeightsError(
            f"{path}: Incorrect length of history blobs: found {len(found.history)}, wanted "
            f"{len(history)}: it was written with another net or another type of solver"
        )
    for index, (theirs, mine) in enumerate(zip(found.history, history)):
        if tuple(theirs.shape) != tuple(mine.shape):
            raise WeightsError(
                f"{path}: history blob {index}: found shape {theirs.shape}, wanted "
                f"{tuple(mine.shape)}: it was written with another net"
            )


def _find_model(path: str | Path, learned_net: str) -> str:
    """Return where the weights are: as written, or beside the state."""
    if not learned_net:
        return ""
    for place in (Path(learned_net), Path(path).parent / Path(learned_net).name):
        if place.is_file():
            return str(place)
    raise WeightsError(f"{path}: its weights {learned_net} do not exist")


def _read_side(path: str | Path, model: str) -> list[Any] | None:
    side = Path(re.sub(r"\.solverstate(\.h5)?$", "", str(path)) + ".resume.json")
    if not side.is_file():
        return None
    try:
        content = json.loads(side.read_text(encoding="utf-8"))
        sums, ranks = dict(content["sha256"]), list(content["ranks"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError):
        raise WeightsError(f"{side}: truncated, or not a resume file") from None
    for file in (model, path):
        if sums.get(Path(file).name) != files.sha256(file):
            raise WeightsError(f"{file}: found another file than {side} was written with")
    return ranks


def newest_snapshot(prefix: str, below: int | None = None) -> str:
    """Return the path of the newest .solverstate of `prefix` that can be resumed from, or ``""``.

    Parameters
    ----------
    prefix : str
        The solver's snapshot_prefix.
    below : int, optional
        Only snapshots of earlier iterations than this.
    """
    return next((str(path) for _, path in states_of(prefix, below) if can_resume(path)), "")


def can_resume(path: str | Path) -> bool:
    """Return whether the .solverstate at `path` can be read, and its side file fits it."""
    try:
        _read(path)
    except GcnetError:
        return False
    return True
