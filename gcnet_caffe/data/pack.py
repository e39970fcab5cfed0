"""Packing: the faces of a manifest, aligned and augmented, as Datums in Caffe's LMDBs.

The Datums of each manifest row are made once, in worker processes, and put into every LMDB that
holds the row. Beside the LMDBs lie ``packed.json`` (what was packed, with what) and ``test.csv``
(what each test record shows), and in the output folder, where landmarks were detected,
``landmarks.csv`` (the manifest with all of them: packing it again detects nothing) and, of pairs,
``folds.csv``.
"""

import contextlib
import logging
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from gcnet_caffe.data.detection import complete_landmarks
from gcnet_caffe.data.faces import Job, make_datums, start_worker
from gcnet_caffe.data.lmdb_file import LmdbWriter, describe
from gcnet_caffe.data.manifest import manifest_text
from gcnet_caffe.data.parallel import cores, ordered_map
from gcnet_caffe.data.plan import plan_cross, plan_identities, plan_pairs
from gcnet_caffe.data.provenance import provenance_text
from gcnet_caffe.data.test_records import record_sheets
from gcnet_caffe.errors import ImageError, ManifestError, UsageError
from gcnet_caffe.files import atomic

_log = logging.getLogger(__name__)

_TASK_RECORDS = 64  # records a worker makes per task


class Packed(NamedTuple):
    """The LMDBs written (path -> `LmdbFacts`) and the rows left out (number from 1 -> reason)."""

    lmdbs: dict
    left_out: dict


def pack_pairs(manifest, out, classes, *, workers=None, detector=None, skip_failures=False, **plan):
    """Pack query-reference pairs, fold by fold: see `plan_pairs` and `pack`."""
    return pack(plan_pairs(manifest, classes, **plan), out, workers, detector, skip_failures)


def pack_cross(
    manifest, test, out, classes, *, workers=None, detector=None, skip_failures=False, **plan
):
    """Pack a test on another data set: see `plan_cross` and `pack`."""
    return pack(plan_cross(manifest, test, classes, **plan), out, workers, detector, skip_failures)


def pack_identities(manifest, out, *, workers=None, detector=None, skip_failures=False, **plan):
    """Pack single faces labelled by identity: see `plan_identities` and `pack`."""
    return pack(plan_identities(manifest, **plan), out, workers, detector, skip_failures)


def pack(plan, out, workers=None, detector=None, skip_failures=False):
    """Write the LMDBs of `plan` below the folder `out`: all of them, or nothing.

    The records depend on the images, the landmarks and the plan's seed, not on `workers`.

    Parameters
    ----------
    plan : Plan
    out : str or Path
    workers : int, optional
        Worker processes; by default one per processor.
    detector : str or Path, optional
        Model file of the face detector, for images without landmarks.
    skip_failures : bool
        Leave out the rows whose images are missing, broken or without a face, instead of stopping.

    Returns
    -------
    Packed

    Raises
    ------
    UsageError
        An LMDB exists already, ``folds.csv`` is of another manifest, or an argument makes no sense.
    ImageError, ManifestError, LmdbError
        The message names the manifest's row and the image, or the LMDB.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise UsageError(f"--workers {workers}: wanted 1 or more")
    out = Path(out)
    lmdbs = [out / target.path for target in plan.targets]
    _check_fold_sheet(plan, out / "folds.csv")
    copies = plan.copies()
    with _outputs(lmdbs) as (stack, scratch):
        rows, failures = _landmarks(plan, copies, workers, detector, skip_failures)
        tasks = _tasks(_jobs(plan, rows, copies, failures), plan.seed)
        with tqdm(total=sum(copies), desc="packing", unit="face", disable=None) as bar:
            made = ordered_map(make_datums, tasks, workers, start_worker)
            made = _successes(made, plan, copies, bar, failures if skip_failures else None)
            _write(made, plan.targets, lmdbs, scratch)
        facts = {path: _facts(path, scratch[path], plan) for path in lmdbs}
        left_out = {i + 1: failures[i] for i in sorted(failures)}
        for path, text in _side_files(plan, rows, facts, left_out, out):
            stack.enter_context(atomic(path, overwrite=True)).write_text(text, encoding="utf-8")
    return Packed(facts, left_out)


def _check_fold_sheet(plan, path):
    if plan.fold_sheet and path.exists() and path.read_text() != plan.fold_sheet:
        raise UsageError(
            f"{path}: the folds of other subjects, or of another number of folds, are there; "
            "give another folder"
        )


@contextlib.contextmanager
def _outputs(folders):
    """Yield a stack, and final path -> scratch path; all appear when it is left without an error.

    On failure nothing is left, not even an empty folder.
    """
    new = {parent for path in folders for parent in path.parents if not parent.exists()}
    try:
        with contextlib.ExitStack() as stack:
            yield stack, {path: stack.enter_context(atomic(path)) for path in folders}
    except BaseException:
        for folder in sorted(new, reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _landmarks(plan, copies, workers, detector, skip_failures):
    """The manifest's rows with landmarks, and the failures (row from 0 -> reason)."""
    wanted = [i for i, count in enumerate(copies) if count]
    rows, failures = complete_landmarks(plan.rows, wanted, plan.paired, detector, workers)
    if failures and not skip_failures:
        if len(failures) > 1:
            for i, reason in sorted(failures.items()):
                _log.warning("%s: row %d: %s", *plan.where(i), reason)
        i = min(failures)
        manifest, number = plan.where(i)
        raise ImageError(
            f"{manifest}: {len(failures)} of {len(wanted)} rows cannot be packed, the first "
            f"is row {number}: {failures[i]} (--skip-failures leaves them out)"
        )
    return rows, failures


def _jobs(plan, rows, copies, failures):
    for i, (row, label, count) in enumerate(zip(rows, plan.labels, copies)):
        if count and i not in failures:
            images = ((row.path, row.landmarks),)
            if plan.paired:
                images += ((row.reference, row.reference_landmarks),) if row.reference else images
            yield Job(i, images, label, count)


def _tasks(jobs, seed):
    """Group the jobs, so that sending them around costs little beside doing them."""
    group, records = [], 0
    for job in jobs:
        group.append(job)
        records += job.copies
        if records >= _TASK_RECORDS:
            yield seed, group
            group, records = [], 0
    if group:
        yield seed, group


def _successes(tasks, plan, copies, bar, failures):
    """Yield (row, Datums); collect failures, or where it is None raise the first."""
    for made in tasks:
        for row, datums, reason in made:
            bar.update(copies[row])
            if not reason:
                yield row, datums
            elif failures is None:
                raise ImageError("{}: row {}: {}".format(*plan.where(row), reason))
            else:
                failures[row] = reason


def _write(made, targets, lmdbs, scratch):
    """Put the Datums of each row into every LMDB that holds the row."""
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(LmdbWriter(scratch[path], path)) for path in lmdbs]
        for row, datums in made:
            for target, writer in zip(targets, writers):
                for key, datum in zip(target.keys(row), datums):
                    writer.put(key, datum)


def _facts(path, scratch, plan):
    facts = describe(scratch)
    if not facts.count:
        raise ManifestError(f"{plan.manifest}: no image is left for {path}")
    return facts


def _side_files(plan, rows, facts, left_out, out):
    """Yield (path, text) of the files beside the LMDBs."""
    if any(row is not old for row, old in zip(rows, plan.rows)):
        yield out / "landmarks.csv", manifest_text(rows, out)
    if plan.fold_sheet:
        yield out / "folds.csv", plan.fold_sheet
    yield from record_sheets(plan, out, left_out)
    for folder in {path.parent for path in facts}:
        here = {path.name: fact for path, fact in facts.items() if path.parent == folder}
        yield folder / "packed.json", provenance_text(plan, rows, here, left_out)
