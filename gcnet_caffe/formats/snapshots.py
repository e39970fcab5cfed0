"""The files of a solver's snapshots, and the layer names that they can hold.

Source: Caffe src/caffe/solver.cpp (SnapshotFilename) and src/caffe/net.cpp (ToHDF5).
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gcnet_caffe.errors import NetError, WeightsError


class SnapshotFiles(NamedTuple):
    """The weights, the solver's state, and the side file for an exact resume."""

    model: str
    state: str
    side: str


def snapshot_files(solver: Any, iteration: int) -> SnapshotFiles:
    """Return the files of the SolverParameter `solver` at `iteration`."""
    stem = f"{solver.snapshot_prefix}_iter_{iteration}"
    ending = ".h5" if solver.snapshot_format == solver.HDF5 else ""
    return SnapshotFiles(
        f"{stem}.caffemodel{ending}", f"{stem}.solverstate{ending}", f"{stem}.resume.json"
    )


def states_of(prefix: str, below: int | None = None) -> list[tuple[int, Path]]:
    """Return the .solverstate files of a snapshot_prefix, newest first, each with its iteration.

    Parameters
    ----------
    prefix : str
        The solver's snapshot_prefix.
    below : int, optional
        Only those of earlier iterations than this.
    """
    folder, name = os.path.split(prefix)
    found = []
    for path in Path(folder).glob(f"{glob.escape(name)}_iter_*.solverstate*"):
        number = iteration_of(path)
        if number is not None and (below is None or number < below):
            found.append((number, path))
    return sorted(found, reverse=True)


def iteration_of(path: str | os.PathLike[str]) -> int | None:
    """Return the iteration that the name of a .solverstate says, or None where it has none."""
    number = re.search(r"_iter_(\d+)\.solverstate(\.h5)?$", os.fspath(path))
    return int(number[1]) if number else None


def check_one_iteration(found: Mapping[str | os.PathLike[str], int]) -> None:
    """Check that snapshots, each with its iteration, are of one iteration.

    Raises
    ------
    WeightsError
        They are not.
    """
    if len(set(found.values())) > 1:
        each = ", ".join(f"{os.fspath(path)} of {number}" for path, number in found.items())
        raise WeightsError(f"snapshots of different iterations: {each}; wanted one iteration")


def snapshot_folder(solver: Any) -> Path:
    """Return the folder of the snapshots of the SolverParameter `solver`."""
    return Path(snapshot_files(solver, 0).model).parent


def check_folder(param: Any, origin: str) -> None:
    """Check that the folder for the snapshots of the SolverParameter `param` exists.

    Raises
    ------
    NetError
        There is no prefix; or the folder is missing, or cannot be written to.
    """
    if not (param.snapshot or param.snapshot_after_train):
        return
    if param.snapshot and not param.HasField("snapshot_prefix"):
        raise NetError(f"{origin}: snapshot is specified but snapshot_prefix is not")
    folder = snapshot_folder(param)
    while not param.snapshot and not folder.exists():  # the one at the end makes its folder
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise NetError(
            f"{origin}: Cannot write to snapshot prefix '{param.snapshot_prefix}': "
            f"make sure that the folder {folder} exists and is writable"
        )


def check_hdf5_names(names: Iterable[str], origin: str) -> None:
    """Check that an HDF5 snapshot can hold a net whose layers are called `names`.

    Each layer is a group of the file. At a wrong name real Caffe stops when it writes; or it writes
    the layer where it does not look when it reads, and starts with other weights.

    Raises
    ------
    NetError
        A name is empty, ``.``, has a ``/`` or a null byte, or is there twice.
    """
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        faults = (
            (not name, f"layer {number} has no name"),
            (
                name == "." or "/" in name or "\0" in name,
                f"the name of layer {name!r} cannot be a group's",
            ),
            (name in seen, f"two layers are called {name!r}"),
        )
        for found, wrong in faults:
            if found:
                raise NetError(
                    f"{origin}: {wrong}; an HDF5 snapshot holds each layer as a group: wanted "
                    "another name, or snapshot_format: BINARYPROTO in the solver"
                )
        seen.add(name)
