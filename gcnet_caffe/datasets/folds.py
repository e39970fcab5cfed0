"""Folds by subject: no person is in both the train and the test images (paper, section IV-B).

Subjects in ascending ID order; fold k tests on the subjects k, k+F, k+2F, ... of F folds.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.datasets.table import read_table
from gcnet_caffe.errors import ManifestError, UsageError


def ordered_subjects(subjects: Iterable[str]) -> list[str]:
    """Return the distinct `subjects` in natural order (s2 before s10).

    Parameters
    ----------
    subjects : iterable of str

    Returns
    -------
    list of str

    Raises
    ------
    ManifestError
        Two spellings differ only in leading zeros (S5, S005): one person might then be in both the
        train and the test images.
    """
    ordered = sorted(set(subjects), key=natural_key)
    for one, other in zip(ordered, ordered[1:]):
        if natural_key(one) == natural_key(other):
            raise ManifestError(
                f"subjects {one!r} and {other!r} are one number in two spellings; "
                "wanted one spelling per subject"
            )
    return ordered


def folder_of(fold: str, people: int | None = None) -> str:
    """Return the name of a fold's folder: ``fold0``, or ``fold0-people30`` for fewer people."""
    return fold if people is None else f"{fold}-people{people}"


def check_number(folds: int) -> None:
    """Raise a UsageError if there are fewer than 2 folds: nothing would be left to train on."""
    if folds < 2:
        raise UsageError(f"--folds {folds}: wanted at least 2")


def assign_folds(subjects: Iterable[str], folds: int) -> dict[str, int]:
    """Give each subject the fold that tests on it.

    Parameters
    ----------
    subjects : iterable of str
        Subject IDs, in any order, repeated or not.
    folds : int
        Number of folds, at least 2.

    Returns
    -------
    dict of str to int
        Subject -> fold, 0..folds-1, in subject order.

    Raises
    ------
    UsageError
        Fewer than 2 folds, or a fold would be empty.
    """
    check_number(folds)
    ordered = ordered_subjects(subjects)
    if len(ordered) < folds:
        raise UsageError(
            f"--folds {folds}: fold {len(ordered)} is empty, there are only {len(ordered)} "
            f"subjects; wanted at most {len(ordered)} folds"
        )
    return {subject: rank % folds for rank, subject in enumerate(ordered)}


def check_disjoint(train: Sequence[Row], test: Sequence[Row], manifest: str | Path) -> None:
    """Check that no subject and no image is in both `train` and `test`.

    Parameters
    ----------
    train, test : sequences of Row
    manifest : str or Path
        The manifest's name, for the error message.

    Raises
    ------
    ManifestError
        The message has the first subject or image that is in both.
    """
    for what, found_in in (("subject", _subjects), ("image", _images)):
        both = found_in(train) & found_in(test)
        if both:
            raise ManifestError(
                f"{manifest}: {what} {min(both)} is in both the train and the test images"
            )


def subjects_of(rows: Sequence[Row], manifest: str | Path) -> list[str]:
    """Return the subject of each row.

    Parameters
    ----------
    rows : sequence of Row
    manifest : str or Path
        The manifest's name, for the error message.

    Returns
    -------
    list of str

    Raises
    ------
    ManifestError
        A row has no subject.
    """
    subjects = []
    for number, row in enumerate(rows, start=1):
        if not row.subject:
            raise ManifestError(
                f"{manifest}: row {number}: column 'subject': empty; "
                f"{row.source or 'this data set'} has no subject ids, so it cannot be split into "
                "folds or identities; `gcnet make-lmdb cross --test` can test on it"
            )
        subjects.append(sys.intern(row.subject))  # one object for all rows of a subject
    return subjects


def read_fold_table(path: str | Path, subjects: Iterable[str]) -> dict[str, int]:
    """Read a fold table (CSV: subject, fold) and check that it gives each subject one fold.

    Parameters
    ----------
    path : str or Path
    subjects : iterable of str
        Those that the table must have; others are ignored.

    Returns
    -------
    dict of str to int
        Subject -> fold, in subject order.

    Raises
    ------
    ManifestError
        The table is missing or malformed, has a subject in two folds, lacks one, or leaves a fold
        empty.
    """
    folds: dict[str, int] = {}
    table = read_table(path, "fold table", ("subject", "fold"), ManifestError)
    for number, row in enumerate(table, start=1):
        subject, fold = row["subject"], row["fold"] or ""
        if not subject or not fold.isdigit():
            raise ManifestError(f"{path}: row {number}: {row}; wanted subject,fold")
        if folds.setdefault(subject, int(fold)) != int(fold):
            raise ManifestError(
                f"{path}: row {number}: subject {subject} is in the folds {folds[subject]} and "
                f"{fold}"
            )
    ordered = ordered_subjects(subjects)
    for subject in ordered:
        if subject not in folds:
            raise ManifestError(f"{path}: subject {subject} of the manifest is in no fold")
    found = {subject: folds[subject] for subject in ordered}
    empty = set(range(max(found.values()) + 1)) - set(found.values())
    if empty:
        raise ManifestError(f"{path}: fold {min(empty)} has no subject of the manifest")
    return found


def fold_table_text(folds: Mapping[str, int]) -> str:
    """Return folds as the text of a CSV file with the columns subject, fold.

    Parameters
    ----------
    folds : dict of str to int
        Subject -> fold, from 0.

    Returns
    -------
    str
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("subject", "fold"), *folds.items()])
    return text.getvalue()


def _subjects(rows: Iterable[Row]) -> set[str]:
    return {row.subject for row in rows}


def _images(rows: Iterable[Row]) -> set[str]:
    return {image for row in rows for image in (row.path, row.reference) if image}
