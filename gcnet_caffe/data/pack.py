"""Packing: the faces of a manifest, aligned and augmented, as Datums in Caffe's LMDBs.

The Datums of each manifest row are made once, in worker processes, and put into every LMDB that
holds the row. Beside the LMDBs lie ``packed.json`` (what was packed, with what), and in the output
folder ``landmarks.csv`` (the manifest with the landmarks that were used: packing it again detects
nothing) and, of pairs, ``folds.csv``.
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
from gcnet_caffe.data.plan import plan_identities, plan_pairs
from gcnet_caffe.data.provenance import provenance_text
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
    with _outputs(lmdbs, _side_files(plan, out)) as scratch:
        rows, failures = _landmarks(plan, workers, detector, skip_failures)
        jobs = _jobs(plan, rows, failures)
        _write(plan, jobs, lmdbs, scratch, workers, failures if skip_failures else None)
        facts = {path: _facts(path, scratch[path], plan) for path in lmdbs}
        left_out = {i + 1: failures[i] for i in sorted(failures)}
        _write_side_files(plan, rows, facts, left_out, out, scratch)
    return Packed(facts, left_out)


def _check_fold_sheet(plan, path):
    if plan.fold_sheet and path.exists() and path.read_text() != plan.fold_sheet:
        raise UsageError(
            f"{path}: the folds of other subjects, or of another number of folds, are there; "
            "give another folder"
        )


def _side_files(plan, out):
    """The files beside the LMDBs, as paths."""
    files = {(out / target.path).parent / "packed.json" for target in plan.targets}
    if plan.fold_sheet:
        files.add(out / "folds.csv")
    return [*sorted(files), out / "landmarks.csv"]


@contextlib.contextmanager
def _outputs(folders, files):
    """Yield final path -> scratch path; on failure nothing is left, not even an empty folder."""
    paths = [*folders, *files]
    made = {parent for path in paths for parent in path.parents if not parent.exists()}
    try:
        with contextlib.ExitStack() as stack:
            yield {p: stack.enter_context(atomic(p, overwrite=p in files)) for p in paths}
    except BaseException:
        for folder in sorted(made, reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _landmarks(plan, workers, detector, skip_failures):
    """The manifest's rows with landmarks, and the failures (row from 0 -> reason)."""
    wanted = [i for i in range(len(plan.rows)) if plan.copies(i)]
    rows, failures = complete_landmarks(plan.rows, wanted, plan.paired, detector, workers)
    if failures and not skip_failures:
        if len(failures) > 1:
            for i, reason in sorted(failures.items()):
                _log.warning("%s: row %d: %s", plan.manifest, i + 1, reason)
        i = min(failures)
        raise ImageError(
            f"{plan.manifest}: {len(failures)} of {len(wanted)} rows cannot be packed, the first "
            f"is row {i + 1}: {failures[i]} (--skip-failures leaves them out)"
        )
    return rows, failures


def _jobs(plan, rows, failures):
    for i, row in enumerate(rows):
        if plan.copies(i) and i not in failures:
            images = [(row.path, row.landmarks)]
            if plan.paired:
                images.append((row.reference, row.reference_landmarks))
            yield Job(i, tuple(images), plan.labels[i], plan.copies(i))


def _tasks(jobs, seed):
    """Group the jobs, so that sending them around costs little beside doing them."""
    group = []
    for job in jobs:
        group.append(job)
        if sum(member.copies for member in group) >= _TASK_RECORDS:
            yield seed, group
            group = []
    if group:
        yield seed, group


def _write(plan, jobs, lmdbs, scratch, workers, failures):
    """Make and write the Datums; collect failures, or where it is None raise the first."""
    total = sum(map(plan.copies, range(len(plan.rows))))
    with contextlib.ExitStack() as stack:
        bar = stack.enter_context(tqdm(total=total, desc="packing", unit="face", disable=None))
        writers = [stack.enter_context(LmdbWriter(scratch[path], path)) for path in lmdbs]
        for made in ordered_map(make_datums, _tasks(jobs, plan.seed), workers, start_worker):
            for row, datums, reason in made:
                bar.update(plan.copies(row))
                if reason and failures is None:
                    raise ImageError(f"{plan.manifest}: row {row + 1}: {reason}")
                if reason:
                    failures[row] = reason
                    continue
                for target, writer in zip(plan.targets, writers):
                    for key, datum in zip(target.keys(row), datums):
                        writer.put(key, datum)


def _facts(path, scratch, plan):
    facts = describe(scratch)
    if not facts.count:
        raise ManifestError(f"{plan.manifest}: no image is left for {path}")
    return facts


def _write_side_files(plan, rows, facts, left_out, out, scratch):
    scratch[out / "landmarks.csv"].write_text(manifest_text(rows, out), encoding="utf-8")
    if plan.fold_sheet:
        scratch[out / "folds.csv"].write_text(plan.fold_sheet, encoding="utf-8")
    for folder in {path.parent for path in facts}:
        here = {path.name: fact for path, fact in facts.items() if path.parent == folder}
        text = provenance_text(plan, rows, here, left_out)
        scratch[folder / "packed.json"].write_text(text, encoding="utf-8")
