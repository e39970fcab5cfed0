"""Packing: the faces of a manifest, aligned and augmented, as Datums in Caffe's LMDBs.

The crops of each manifest row are made once, in worker processes, and kept in shards (see `work`):
a packing that was killed goes on from them. From the shards the LMDBs are written in the order of
their keys, read back and compared with the plan, and moved to their places. Beside the LMDBs lies
``packed.json`` (what was packed, with what) and ``test.csv`` (what each test record shows), and in
the output folder ``routes.csv`` (where each image's landmarks come from), of pairs ``folds.csv``,
where landmarks were detected ``landmarks.csv`` (the manifest with all of them: packing it again
detects nothing), and where faces could not be packed ``failures.csv`` and ``failures.png``.
"""

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from gcnet_caffe.datasets.manifest import COLUMNS, cells
from gcnet_caffe.errors import ImageError, ManifestError, UsageError
from gcnet_caffe.files import write_csv, write_text
from gcnet_caffe.packing.crops import Job, jobs_digest, make_shard, start_worker
from gcnet_caffe.packing.detection import complete_landmarks
from gcnet_caffe.packing.failures import TABLE, report_failures
from gcnet_caffe.packing.lmdbs import Assembly, Crops, assemble
from gcnet_caffe.packing.plan import plan_cross, plan_identities, plan_pairs
from gcnet_caffe.packing.provenance import plan_digest, provenance_text
from gcnet_caffe.packing.publish import Publication
from gcnet_caffe.packing.shards import open_work
from gcnet_caffe.packing.test_table import RecordRow, record_sheets
from gcnet_caffe.parallel import cores, ordered_map

_SHARD_RECORDS = 256  # at most, but at least one row


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
    """Write the LMDBs of `plan` below the folder `out`: all of them, or none.

    The records depend on the images, the landmarks and the plan's seed, not on `workers`, nor on
    how often the packing was cut off and taken up again.

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
        An LMDB exists already, ``folds.csv`` is of another manifest, the same packing is at work,
        or an argument makes no sense.
    ImageError, ManifestError, LmdbError
        The message names the manifest's row and the image, or the LMDB.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise UsageError(f"--workers {workers}: wanted 1 or more")
    out = Path(out)
    _check_fold_sheet(plan, out / "folds.csv")
    with open_work(out, plan_digest(plan)) as work:
        publication = Publication(work.folder, out, [target.path for target in plan.targets])
        publication.check_free()
        wanted = np.flatnonzero(plan.copies())
        completed = complete_landmarks(plan.rows, wanted, plan.paired, work, detector, workers)
        rows, failures = completed.rows, completed.failures
        if skip_failures or not failures:
            crops = _make_crops(plan, rows, failures, work, workers)
            failures = {**failures, **crops.failures()}
        if rows is not plan.rows:
            write_csv(out / "landmarks.csv", COLUMNS, cells(rows, out))
        report_failures(plan, rows, failures, out)
        if failures and not skip_failures:
            raise _cannot_pack(plan, failures, len(wanted), out)
        facts = publication.facts(crops.shards)
        if not facts:
            facts = _assemble(plan, crops, failures, publication, out, workers)
            publication.verified(crops.shards, facts)
        facts = {out / path: fact for path, fact in facts.items()}
        left_out = {i + 1: failures[i].reason for i in sorted(failures)}
        packed = np.setdiff1d(wanted, list(failures))
        _write_side_files(plan, completed.images(packed, plan.paired), facts, left_out, out)
        publication.move()
    return Packed(facts, left_out)


def _check_fold_sheet(plan, path):
    if plan.fold_sheet and path.exists() and path.read_text() != plan.fold_sheet:
        raise UsageError(
            f"{path}: the folds of other subjects, or of another number of folds, are there; "
            "give another folder"
        )


def _make_crops(plan, rows, failures, work, workers):
    """Make the shards of crops of all rows but the `failures`."""
    copies = plan.copies()
    wanted = np.flatnonzero(copies)
    step = max(1, _SHARD_RECORDS // copies.max())
    kept = copies.copy()
    kept[list(failures)] = 0
    first = np.cumsum(kept) - kept
    starts = np.append(first[wanted[::step]], kept.sum())
    channels = 2 if plan.paired else 1

    def tasks():
        for at in range(0, len(wanted), step):
            group = wanted[at : at + step].tolist()
            jobs = [_job(i, rows[i], plan.paired, int(kept[i])) for i in group if kept[i]]
            size = int(copies[group].sum())
            yield size, jobs_digest(jobs), (plan.seed, channels, jobs)

    total = int(copies.sum())
    with tqdm(total=total, desc="making crops", unit="face", smoothing=0, disable=None) as bar:
        shards = work.make("crops", tasks(), make_shard, bar, workers, start_worker)
    return Crops(shards, starts, first, channels)


def _job(number, row, paired, copies):
    images = ((row.path, row.landmarks),)
    if paired:
        images += ((row.reference, row.reference_landmarks),) if row.reference else images
    return Job(number, images, copies)


def _cannot_pack(plan, failures, wanted, out):
    manifest, number = plan.where(min(failures))
    return ImageError(
        f"{manifest}: {len(failures)} of {wanted} rows cannot be packed, the first is row "
        f"{number}: {failures[min(failures)].reason} (all are in {out / TABLE}; --skip-failures "
        "leaves them out)"
    )


def _assemble(plan, crops, failures, publication, out, workers):
    """Write and verify the LMDBs in worker processes; return their facts by path."""
    failed, labels = frozenset(failures), np.array(plan.labels)
    tasks = []
    for target in plan.targets:
        scratch = publication.scratch(target.path)
        shutil.rmtree(scratch, ignore_errors=True)  # of a packing that was killed
        scratch.parent.mkdir(parents=True, exist_ok=True)
        tasks.append(Assembly(scratch, out / target.path, target, labels, failed, crops))
    for task in tasks:
        if not any(True for _ in task.records()):
            raise ManifestError(f"{plan.manifest}: no image is left for {task.name}")
    facts = {}
    with tqdm(total=len(tasks), desc="writing", unit="LMDB", disable=None) as bar:
        for task, fact in zip(tasks, ordered_map(assemble, tasks, workers, start_worker)):
            facts[task.target.path] = fact
            bar.update()
    return facts


def _write_side_files(plan, images, facts, left_out, out):
    """Write what lies beside the LMDBs; `images` are the packed images and their routes."""
    routes = Counter()

    def counted():
        for path, route in images:
            routes[route] += 1
            yield os.path.abspath(path), route

    write_csv(out / "routes.csv", ("image", "route"), counted())
    if plan.fold_sheet:
        write_text(out / "folds.csv", plan.fold_sheet)
    for path, rows in record_sheets(plan, out, left_out):
        write_csv(path, RecordRow._fields, rows)
    for folder in {path.parent for path in facts}:
        here = {path.name: fact for path, fact in facts.items() if path.parent == folder}
        write_text(folder / "packed.json", provenance_text(plan, routes, here, left_out))
