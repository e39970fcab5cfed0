"""The work folder of a packing: finished shards survive a kill, and the same command continues.

The folder ``.packing-DIGEST`` is in the output folder. The digest is that of the settings, so that
work of other settings is never used.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from gcnet_caffe import files
from gcnet_caffe.errors import UsageError
from gcnet_caffe.packing.shards import Work

_log = logging.getLogger(__name__)

_PREFIX = ".packing-"
_DONE = ".done"


@contextlib.contextmanager
def open_work(out: str | Path, digest: str) -> Iterator[Work]:
    """Yield the work folder of some settings; only one process may use it.

    The folder is removed when the body ends without an error. After an error finished shards stay,
    and a warning says so; without any, nothing is left, not even an empty folder.

    Parameters
    ----------
    out : str or Path
        The output folder.
    digest : str
        Of the settings.

    Yields
    ------
    Work

    Raises
    ------
    UsageError
        Another process uses it.
    """
    folder = Path(out) / f"{_PREFIX}{digest[:12]}"
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    packs = UsageError(f"{folder.parent}: another process runs the same packing there")
    with files.alone(folder / "lock", packs):
        _mention_others(folder)
        killed = [*folder.parent.glob(f"{_PREFIX}*{_DONE}"), *folder.glob(".*")]
        for leftover in killed:  # a removal, and scratch files of workers, that were cut off
            shutil.rmtree(leftover, ignore_errors=True)
        work = Work(folder)
        try:
            yield work
        except BaseException:
            _leave(work, new)
            raise
        _remove(folder)


def _leave(work: Work, new: Sequence[Path]) -> None:
    count = work.finished()
    if count:
        _log.warning(
            "%s: finished work is kept (shards: %d); the same command continues from there "
            "(remove the folder if you do not want it)",
            work.folder,
            count,
        )
        return
    _remove(work.folder)
    for path in new:
        with contextlib.suppress(OSError):  # not empty
            path.rmdir()


def _remove(folder: Path) -> None:
    """Remove a work folder, after a rename: if the removal is cut off, the next packing sees it."""
    done = folder.with_suffix(_DONE)
    folder.rename(done)
    shutil.rmtree(done, ignore_errors=True)  # another process may be removing it as well


def _mention_others(folder: Path) -> None:
    for other in sorted(folder.parent.glob(f"{_PREFIX}*")):
        if other != folder and other.suffix != _DONE:
            _log.warning(
                "%s: unfinished work of other settings, versions or folds; it is not used "
                "(remove the folder if no packing is running there)",
                other,
            )
