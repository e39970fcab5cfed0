"""Folds by subject: no person is in both the train and the test images (paper, section IV-B).

Subjects in ascending ID order; fold k tests on the subjects k, k+F, k+2F, ... of F folds.
"""

import csv
import io
import sys

from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.errors import ManifestError, UsageError
from gcnet_caffe.text import open_lines


def ordered_subjects(subjects):
    """The distinct `subjects` in natural order (s2 before s10).

    Raises
    ------
    ManifestError
        Two spellings differ only in leading zeros (S5, S005): one person might then stand in both
        the train and the test images.
    """
    ordered = sorted(set(subjects), key=natural_key)
    for one, other in zip(ordered, ordered[1:]):
        if natural_key(one) == natural_key(other):
            raise ManifestError(
                f"subjects {one!r} and {other!r} are one number in two spellings; "
                "wanted one spelling for each subject"
            )
    return ordered


def assign_folds(subjects, folds):
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
    ordered = ordered_subjects(subjects)
    if folds < 2:
        raise UsageError(f"--folds {folds}: wanted at least 2")
    if len(ordered) < folds:
        raise UsageError(
            f"--folds {folds}: fold {len(ordered)} is empty, there are only {len(ordered)} "
            f"subjects; wanted at most {len(ordered)} folds"
        )
    return {subject: rank % folds for rank, subject in enumerate(ordered)}


def check_disjoint(train, test, manifest):
    """Raise a ManifestError when a subject, or an image, is in both `train` and `test`.

    Parameters
    ----------
    train, test : iterables of Row
    manifest : str or Path
        The manifest's name, for the error message.
    """
    for what, one, other in zip(("subject", "image"), _members(train), _members(test)):
        both = one & other
        if both:
            raise ManifestError(
                f"{manifest}: {what} {min(both)} is in both the train and the test images"
            )


def subjects_of(rows, manifest):
    """Return the subject of each row.

    Raises
    ------
    ManifestError
        A row has none.
    """
    subjects = []
    for number, row in enumerate(rows, start=1):
        if not row.subject:
            raise ManifestError(
                f"{manifest}: row {number}: column 'subject': empty; without subject ids "
                f"({row.source or 'this data set'} has none) there are neither folds by subject "
                "nor identities; `make_lmdb.py cross --test` can test on it"
            )
        subjects.append(sys.intern(row.subject))  # one object for all rows of a subject
    return subjects


def read_fold_sheet(path, subjects):
    """Read a fold sheet (CSV: subject, fold) and check that it gives each subject one fold.

    Parameters
    ----------
    path : str or Path
    subjects : iterable of str
        Those that must be in it; others in it are ignored.

    Returns
    -------
    dict of str to int
        Subject -> fold, in subject order.

    Raises
    ------
    ManifestError
        The sheet is missing or malformed, has a subject in two folds, lacks one, or leaves a fold
        empty.
    """
    sheet = {}
    try:
        with open_lines(path, ManifestError) as file:
            reader = csv.DictReader(file)
            for number, row in enumerate(reader, start=1):
                subject, fold = row.get("subject"), row.get("fold") or ""
                if not subject or not fold.isdigit():
                    raise ManifestError(f"{path}: row {number}: {row}; wanted subject,fold")
                if sheet.setdefault(subject, int(fold)) != int(fold):
                    raise ManifestError(
                        f"{path}: row {number}: subject {subject} is in the folds "
                        f"{sheet[subject]} and {fold}"
                    )
    except FileNotFoundError:
        raise ManifestError(f"{path}: no such fold sheet") from None
    ordered = ordered_subjects(subjects)
    for subject in ordered:
        if subject not in sheet:
            raise ManifestError(f"{path}: subject {subject} of the manifest is in no fold")
    found = {subject: sheet[subject] for subject in ordered}
    empty = set(range(max(found.values()) + 1)) - set(found.values())
    if empty:
        raise ManifestError(f"{path}: fold {min(empty)} has no subject of the manifest")
    return found


def fold_sheet(folds):
    """`folds` (subject -> fold) as the text of a CSV file with the columns subject, fold."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("subject", "fold"))
    writer.writerows(folds.items())
    return text.getvalue()


def _members(rows):
    """The subjects, and the images, of some rows."""
    subjects, images = set(), set()
    for row in rows:
        subjects.add(row.subject)
        images.update(name for name in (row.path, row.reference) if name)
    return subjects, images
