"""Other manifests: checks one or more, and writes them as one.

If they come from several data sets (see the column source), each subject is named SOURCE:SUBJECT,
because S005 is another person in each data set.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from gcnet_caffe.datasets.manifest import Row, read_manifest
from gcnet_caffe.datasets.readers.survey import Survey


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    parser.add_argument("manifests", nargs="+", metavar="CSV", help="manifests to read")
    parser.add_argument(
        "--keep-subjects",
        action="store_true",
        help="keep the subject ids as they are: all sources show the same people",
    )


def read(manifests: Sequence[str | Path], keep_subjects: bool = False) -> tuple[list[Row], Survey]:
    """Read some manifests and join them.

    Parameters
    ----------
    manifests : sequence of str or Path
    keep_subjects : bool
        Whether subjects keep their names although there are several data sets.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    ManifestError
        One of them cannot be read, or a row is wrong.
    """
    rows = [row for path in manifests for row in read_manifest(path)]
    survey = Survey()
    if len({row.source for row in rows}) > 1 and not keep_subjects:
        rows = [row._replace(subject=_qualified(row)) for row in rows]
        survey.noted["subjects named SOURCE:SUBJECT"] = len({row.subject for row in rows} - {""})
    return rows, survey


def _qualified(row: Row) -> str:
    prefix = f"{row.source}:"
    if not row.subject or row.subject.startswith(prefix):
        return row.subject
    return prefix + row.subject
