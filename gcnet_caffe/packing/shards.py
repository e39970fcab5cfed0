"""The work folder: what is finished outlives a kill, and the same command goes on from there.

The folder ``.packing-DIGEST`` lies in the output folder; the digest tells the settings, so that
work of other settings is never taken up. What worker processes make stands there in shards, one
file a task, each appearing under its final name when it is whole. A shard's name tells what it was
made of: where an image or its landmarks have changed since, it is made again.
"""

import contextlib
import logging
import shutil
from pathlib import Path

from gcnet_caffe import files
from gcnet_caffe.errors import LmdbError, UsageError
from gcnet_caffe.parallel import ordered_map

_log = logging.getLogger(__name__)

_PREFIX = ".packing-"
_DONE = ".done"
_LOCK = "lock"


class Work:
    """A folder of shards."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def make(self, kind, tasks, function, bar, workers, start, initargs=()):
        """Make the shards of `tasks` that are not there yet, in worker processes.

        Parameters
        ----------
        kind : str
            First part of the shards' names.
        tasks : iterable of (int, str, object)
            How much a task counts on the bar, a digest of what it depends on, and the task.
        function : callable at the top level of a module
            Takes a task, returns the bytes of its shard.
        bar : tqdm
            Made with smoothing=0: what is there already does not count as speed.
        workers, start, initargs
            As in `ordered_map`.

        Returns
        -------
        list of Path
            The shards, in the order of the tasks. Older ones of the same kind are removed.
        """
        paths = []

        def missing():
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

    def _remove_others(self, kind, paths):
        others = set(self.folder.glob(f"{kind}-*")).difference(paths)
        for path in others:
            path.unlink()
        if others:
            _log.warning(
                "%s: shards not used, because images or landmarks have changed since: %d",
                self.folder,
                len(others),
            )

    def finished(self):
        """How many shards are finished."""
        return sum(path.is_file() and path.name != _LOCK for path in self.folder.glob("[!.]*"))


def _make(job):
    function, path, size, task = job
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


@contextlib.contextmanager
def open_work(out, digest):
    """Yield the `Work` folder of the settings `digest` in the folder `out`; only one process may.

    It is gone when the block is left normally. Otherwise finished shards stay, and a warning says
    so; where there are none, nothing is left, not even an empty folder.

    Raises
    ------
    UsageError
        Another process works there.
    """
    folder = Path(out) / f"{_PREFIX}{digest[:12]}"
    new = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
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


def _leave(work, new):
    count = work.finished()
    if count:
        _log.warning(
            "%s: finished work is kept (shards: %d); the same command goes on from there "
            "(remove the folder if it is not wanted)",
            work.folder,
            count,
        )
        return
    _remove(work.folder)
    for path in new:
        with contextlib.suppress(OSError):  # not empty
            path.rmdir()


def _remove(folder):
    """Remove a work folder; under a name first that tells that it is not wanted any more."""
    done = folder.with_suffix(_DONE)
    folder.rename(done)
    shutil.rmtree(done, ignore_errors=True)  # another process may be removing it as well


@contextlib.contextmanager
def _locked(folder):
    with files.locked(folder / _LOCK) as ours:
        if not ours:
            raise UsageError(f"{folder.parent}: the same packing is at work there already")
        yield


def _mention_others(folder):
    for other in sorted(folder.parent.glob(f"{_PREFIX}*")):
        if other != folder and other.suffix != _DONE:
            _log.warning(
                "%s: unfinished work of other settings, versions or folds; it is not used "
                "(remove the folder if nothing is at work there)",
                other,
            )
