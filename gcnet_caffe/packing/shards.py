"""Shards: the files in which a packing keeps what its worker processes have made.

====================  ==============================================================================
crops-NUMBER-DIGEST   the crops of some rows: a record (`_record_type`) of each copy of each row, in
                      the order of the rows; then, as JSON, the rows that failed and why. The
                      records of a row that failed are zeros
landmarks-NUMBER-...  JSON: of each of some images the five points, or null and why there are none
====================  ==============================================================================

A shard gets its name when it is complete. DIGEST is that of all it was made from: if an image or
its landmarks have changed since, the shard is made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from tqdm import tqdm

from gcnet_caffe import files
from gcnet_caffe.errors import LmdbError
from gcnet_caffe.faces.align import SIZE
from gcnet_caffe.parallel import ordered_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

_Task = TypeVar("_Task")


class Failure(NamedTuple):
    """Why a row cannot be packed.

    Attributes
    ----------
    image : str
        Its image that cannot be used.
    reason : str
        A message that begins with the image.
    """

    image: str
    reason: str


class Work:
    """A folder of shards.

    Parameters
    ----------
    folder : str or Path
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def make(
        self,
        kind: str,
        tasks: Iterable[tuple[int, str, _Task]],
        function: Callable[[_Task], bytes],
        bar: tqdm[Any],
        workers: int,
        start: Callable[..., object],
        initargs: tuple[Any, ...] = (),
    ) -> list[Path]:
        """Make the shards of `tasks` that do not exist yet, in worker processes.

        Parameters
        ----------
        kind : str
            First part of the shards' names.
        tasks : iterable of (int, str, object)
            How much a task counts on the bar, a digest of all that its shard depends on, and the
            task itself.
        function : callable at the top level of a module
            Takes a task, returns the bytes of its shard.
        bar : tqdm
            Made with smoothing=0: shards that exist already do not count as speed.
        workers, start, initargs
            As in `ordered_map`.

        Returns
        -------
        list of Path
            The shards, in the order of the tasks. Older ones of the same kind are removed.

        Raises
        ------
        LmdbError
            A shard cannot be written.
        """
        paths: list[Path] = []

        def missing() -> Iterator[tuple[Callable[[_Task], bytes], Path, int, _Task]]:
            for size, digest, task in tasks:
                path = self.folder / f"{kind}-{len(paths):06d}-{digest[:16]}"
                paths.append(path)
                if path.exists():
                    bar.initial = getattr(bar, "initial", 0) + size  # none when it is disabled
                    bar.update(size)
                else:
                    yield function, path, size, task

        for size in ordered_map(_make, missing(), workers, start, initargs):
            bar.update(size)
        self._remove_others(kind, paths)
        return paths

    def _remove_others(self, kind: str, paths: list[Path]) -> None:
        others = set(self.folder.glob(f"{kind}-*")).difference(paths)
        for path in others:
            path.unlink()
        if others:
            _log.warning(
                "%s: shards not used, because images or landmarks have changed since: %d",
                self.folder,
                len(others),
            )

    def finished(self) -> int:
        """Return how many shards are finished."""
        return sum(1 for _ in self.folder.glob("[!.]*-*-*"))


def _make(work: tuple[Callable[[Any], bytes], Path, int, Any]) -> int:
    function, path, size, task = work
    shard = function(task)
    try:
        with files.atomic(path, overwrite=True) as scratch:
            scratch.write_bytes(shard)
    except OSError as error:
        raise LmdbError(
            f"{path.parent}: cannot write a shard: {error.strerror} "
            "(disk full, or a limit on file sizes?)"
        ) from None
    return size


def shards_digest(shards: Iterable[Path]) -> str:
    """Return a digest of what some shards were made from."""
    return hashlib.sha256("\n".join(path.name for path in shards).encode()).hexdigest()


def _record_type(channels: int) -> np.dtype[np.void]:
    """One record of a shard of crops: (channels, 66, 66) grey values and their CRC-32."""
    return np.dtype([("crc", "<u4"), ("pixels", "u1", (channels, SIZE, SIZE))])


def crops_to_bytes(
    crops: Sequence[NDArray[np.uint8] | None], channels: int, failures: Mapping[int, Failure]
) -> bytes:
    """Return the content of a shard of crops.

    Parameters
    ----------
    crops : sequence of (channels, 66, 66) ndarrays of uint8
        None for each copy of a row that failed.
    channels : int
    failures : dict of int to Failure
        By row, from 0.

    Returns
    -------
    bytes
    """
    records = np.zeros(len(crops), _record_type(channels))
    for record, crop in zip(records, crops):
        if crop is not None:
            record["pixels"][:] = crop
            record["crc"] = zlib.crc32(record["pixels"])
    return records.tobytes() + json.dumps(failures).encode()


class Crops(NamedTuple):
    """The shards of crops of a packing, as one sequence of records.

    Attributes
    ----------
    shards : list of Path
    starts : (len(shards) + 1,) ndarray of int
        The number of the first record of each shard, and the number of all records.
    first : ndarray of int
        The number of the first record of each manifest row.
    channels : int
        2 for pairs, 1 for single faces.
    """

    shards: list[Path]
    starts: NDArray[np.int64]
    first: NDArray[np.int64]
    channels: int

    def pixels(self, row: int, copy: int) -> NDArray[np.uint8]:
        """Return one crop.

        Parameters
        ----------
        row, copy : int
            From 0.

        Returns
        -------
        (channels, 66, 66) ndarray of uint8
            0..255.

        Raises
        ------
        LmdbError
            The shard is damaged. It is removed, so that the same command makes it again.
        """
        index = self.first[row] + copy
        shard = np.searchsorted(self.starts, index, "right") - 1
        kind = _record_type(self.channels)
        path, offset = self.shards[shard], (index - self.starts[shard]) * kind.itemsize
        with open(path, "rb", buffering=0) as file:  # much faster than np.fromfile
            file.seek(int(offset))
            found = file.read(kind.itemsize)  # less at the file's end
        if len(found) == kind.itemsize:
            record = np.frombuffer(found, kind)[0]
            if zlib.crc32(record["pixels"]) == record["crc"]:
                return np.asarray(record["pixels"])
        raise _damaged(path, f"the record of row {row + 1}, copy {copy} is not as it was made")

    def failures(self) -> dict[int, Failure]:
        """Return the rows that failed: row from 0 -> `Failure`.

        Raises
        ------
        LmdbError
            As of `pixels`.
        """
        failures = {}
        sizes = np.diff(self.starts) * _record_type(self.channels).itemsize
        for path, size in zip(self.shards, sizes.tolist()):
            with open(path, "rb") as file:
                file.seek(size)
                try:
                    found = json.load(file)
                except ValueError:
                    raise _damaged(path, "its end is missing") from None
            failures.update({int(row): Failure(*failure) for row, failure in found.items()})
        return failures


def _damaged(path: Path, what: str) -> LmdbError:
    path.unlink(missing_ok=True)
    return LmdbError(
        f"{path}: damaged: {what}; it is removed now, and the same command makes it again"
    )


#: What was found in an image: five points (x, y), or None and the reason.
Found = tuple["NDArray[np.float64] | None", str]


def landmarks_to_bytes(found: Iterable[Found]) -> bytes:
    """Return the content of a shard of landmarks.

    Parameters
    ----------
    found : iterable of (points, reason)
        What was found in each of some images: (5, 2) ndarray and "", or None and the reason.

    Returns
    -------
    bytes
    """
    some = [(None if points is None else points.tolist(), reason) for points, reason in found]
    return json.dumps(some).encode()


def read_landmarks(shards: Iterable[Path]) -> Iterator[Found]:
    """Yield what was found in each image.

    Parameters
    ----------
    shards : iterable of Path
        Shards of landmarks.

    Yields
    ------
    points : (5, 2) ndarray, or None
        x, y in pixels.
    reason : str
        Why there are no points; "" if there are.
    """
    for path in shards:
        for points, reason in json.loads(path.read_bytes()):
            yield points and np.array(points), reason
