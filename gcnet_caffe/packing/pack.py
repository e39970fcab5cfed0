"""Packing: the faces of a manifest, aligned and augmented, as Datums in Caffe's LMDBs.

The crops of each manifest row are made once, in worker processes, and kept in `shards`: after a
kill the same command continues from them. The LMDBs are written from the shards in the order of
their keys, read back and checked, and moved to their places. Files beside the LMDBs:

=================  =================================================================================
packed.json        what was packed, from which files, with which settings
test.csv           what each test record shows
=================  =================================================================================

Files in the output folder:

=================  =================================================================================
routes.csv         where each image's landmarks come from
folds.csv          of pairs: the fold of each subject
landmarks.csv      if landmarks were detected: the manifest with all of them, so that packing it
                   again detects nothing
failures.csv, .png if faces could not be packed: which, and why
=================  =================================================================================
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from gcnet_caffe.datasets.manifest import COLUMNS, Row, cells
from gcnet_caffe.errors import ImageError, ManifestError, UsageError
from gcnet_caffe.files import write_csv, write_text
from gcnet_caffe.formats.lmdb_file import LmdbFacts
from gcnet_caffe.packing.crops import RowFaces, faces_digest, make_shard, start_worker
from gcnet_caffe.packing.detection import complete_landmarks
from gcnet_caffe.packing.failures import TABLE, report_failures
from gcnet_caffe.packing.lmdbs import Assembly, assemble
from gcnet_caffe.packing.plan import Plan, plan_cross, plan_identities, plan_pairs
from gcnet_caffe.packing.provenance import PACKED, plan_digest, provenance_text
from gcnet_caffe.packing.publish import Publication
from gcnet_caffe.packing.record_table import RecordRow, test_tables
from gcnet_caffe.packing.shards import Crops, Failure, Work
from gcnet_caffe.packing.work import open_work
from gcnet_caffe.parallel import cores, ordered_map

_SHARD_RECORDS = 256  # at most, but at least one row


class Packed(NamedTuple):
    """What was packed.

    Attributes
    ----------
    lmdbs : dict of Path to LmdbFacts
        The LMDBs that were written.
    left_out : dict of int to str
        Number of each row that was left out, from 1 -> why.
    """

    lmdbs: dict[Path, LmdbFacts]
    left_out: dict[int, str]


def pack_pairs(
    manifest: str | Path,
    out: str | Path,
    classes: Sequence[str],
    *,
    workers: int | None = None,
    detector: str | Path | None = None,
    skip_failures: bool = False,
    **plan: Any,
) -> Packed:
    """Pack query-reference pairs, fold by fold.

    Parameters
    ----------
    manifest, classes, **plan
        As of `plan_pairs`.
    out, workers, detector, skip_failures
        As of `pack`.

    Returns
    -------
    Packed

    Raises
    ------
    GcnetError
        As of `plan_pairs` and `pack`.
    """
    return pack(plan_pairs(manifest, classes, **plan), out, workers, detector, skip_failures)


def pack_cross(
    manifest: str | Path,
    test: str | Path,
    out: str | Path,
    classes: Sequence[str],
    *,
    workers: int | None = None,
    detector: str | Path | None = None,
    skip_failures: bool = False,
    **plan: Any,
) -> Packed:
    """Pack a test on another data set.

    Parameters
    ----------
    manifest, test, classes, **plan
        As of `plan_cross`.
    out, workers, detector, skip_failures
        As of `pack`.

    Returns
    -------
    Packed

    Raises
    ------
    GcnetError
        As of `plan_cross` and `pack`.
    """
    return pack(plan_cross(manifest, test, classes, **plan), out, workers, detector, skip_failures)


def pack_identities(
    manifest: str | Path,
    out: str | Path,
    *,
    workers: int | None = None,
    detector: str | Path | None = None,
    skip_failures: bool = False,
    **plan: Any,
) -> Packed:
    """Pack single faces labelled by identity.

    Parameters
    ----------
    manifest, **plan
        As of `plan_identities`.
    out, workers, detector, skip_failures
        As of `pack`.

    Returns
    -------
    Packed

    Raises
    ------
    GcnetError
        As of `plan_identities` and `pack`.
    """
    return pack(plan_identities(manifest, **plan), out, workers, detector, skip_failures)


def pack(
    plan: Plan,
    out: str | Path,
    workers: int | None = None,
    detector: str | Path | None = None,
    skip_failures: bool = False,
) -> Packed:
    """Write the LMDBs of a plan: all of them, or none.

    The records depend on the images, the landmarks and the plan's seed. They do not depend on
    `workers`, or on how often the packing was cut off and continued.

    Parameters
    ----------
    plan : Plan
    out : str or Path
        The output folder.
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
        An LMDB exists already, ``folds.csv`` is of another manifest, another process runs the same
        packing, or an argument makes no sense.
    ImageError, ManifestError, LmdbError
        The message has the manifest's row and the image, or the LMDB.
    """
    workers = cores() if workers is None else workers
    if workers < 1:
        raise UsageError(f"--workers {workers}: wanted 1 or more")
    out = Path(out)
    _check_fold_table(plan, out / "folds.csv")
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
        lmdbs = {out / path: fact for path, fact in facts.items()}
        left_out = {i + 1: failures[i].reason for i in sorted(failures)}
        packed = np.setdiff1d(wanted, list(failures))
        _write_side_files(plan, completed.images(packed, plan.paired), lmdbs, left_out, out)
        publication.move()
    return Packed(lmdbs, left_out)


def _check_fold_table(plan: Plan, path: Path) -> None:
    if plan.fold_table and path.exists() and path.read_text() != plan.fold_table:
        raise UsageError(
            f"{path}: the folds of other subjects, or of another number of folds, are there; "
            "give another folder"
        )


def _make_crops(
    plan: Plan, rows: Sequence[Row], failures: Collection[int], work: Work, workers: int
) -> Crops:
    """Make the shards of crops of all rows but the `failures`."""
    copies = plan.copies()
    wanted = np.flatnonzero(copies)
    step = max(1, _SHARD_RECORDS // copies.max())
    kept = copies.copy()
    kept[list(failures)] = 0
    first = np.cumsum(kept) - kept
    starts = np.append(first[wanted[::step]], kept.sum())
    channels = 2 if plan.paired else 1

    def tasks() -> Iterator[tuple[int, str, tuple[int, bool, int, list[RowFaces]]]]:
        for at in range(0, len(wanted), step):
            group = wanted[at : at + step].tolist()
            faces = [_faces_of(i, rows[i], plan.paired, int(kept[i])) for i in group if kept[i]]
            task = plan.seed, plan.photometric, channels, faces
            yield int(copies[group].sum()), faces_digest(faces), task

    total = int(copies.sum())
    with tqdm(total=total, desc="making crops", unit="face", smoothing=0, disable=None) as bar:
        shards = work.make("crops", tasks(), make_shard, bar, workers, start_worker)
    return Crops(shards, starts, first, channels)


def _faces_of(number: int, row: Row, paired: bool, copies: int) -> RowFaces:
    assert row.landmarks is not None  # complete_landmarks found them
    query = reference = row.path, row.landmarks
    if paired and row.reference:
        assert row.reference_landmarks is not None
        reference = row.reference, row.reference_landmarks
    return RowFaces(number, (query, reference) if paired else (query,), copies)


def _cannot_pack(plan: Plan, failures: Mapping[int, Failure], wanted: int, out: Path) -> ImageError:
    manifest, number = plan.where(min(failures))
    return ImageError(
        f"{manifest}: {len(failures)} of {wanted} rows cannot be packed, the first is row "
        f"{number}: {failures[min(failures)].reason} (all are in {out / TABLE}; --skip-failures "
        "leaves them out)"
    )


def _assemble(
    plan: Plan,
    crops: Crops,
    failures: Iterable[int],
    publication: Publication,
    out: Path,
    workers: int,
) -> dict[str, LmdbFacts]:
    """Write and verify the LMDBs in worker processes; return their facts by path."""
    failed, labels = frozenset(failures), np.array(plan.labels)
    tasks = []
    for target in plan.targets:
        scratch = publication.scratch(target.path)
        shutil.rmtree(scratch, ignore_errors=True)  # of a packing that was killed
        scratch.parent.mkdir(parents=True, exist_ok=True)
        task = Assembly(scratch, out / target.path, target, labels, failed, crops)
        if next(task.records(), None) is None:
            raise ManifestError(f"{plan.manifest}: no image is left for {task.name}")
        tasks.append(task)
    written = ordered_map(assemble, tasks, workers, start_worker)
    bar = tqdm(written, "writing", len(tasks), unit="LMDB", disable=None)
    return {target.path: facts for facts, target in zip(bar, plan.targets)}


def _write_side_files(
    plan: Plan,
    images: Iterable[tuple[str, str]],
    lmdbs: Mapping[Path, LmdbFacts],
    left_out: Mapping[int, str],
    out: Path,
) -> None:
    """Write the files beside the LMDBs; `images` are the packed images and their routes."""
    routes: Counter[str] = Counter()

    def counted() -> Iterator[tuple[str, str]]:
        for path, route in images:
            routes[route] += 1
            yield os.path.abspath(path), route

    write_csv(out / "routes.csv", ("image", "route"), counted())
    if plan.fold_table:
        write_text(out / "folds.csv", plan.fold_table)
    for path, rows in test_tables(plan, out, left_out):
        write_csv(path, RecordRow._fields, rows)
    for folder in {path.parent for path in lmdbs}:
        here = {path.name: fact for path, fact in lmdbs.items() if path.parent == folder}
        write_text(folder / PACKED, provenance_text(plan, routes, here, left_out))
