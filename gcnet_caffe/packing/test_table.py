"""What each record of a test LMDB shows: ``test.csv`` beside it, one row per record.

==========  ========================================================================================
column      meaning
==========  ========================================================================================
key         of the record in ``test_lmdb``
path        query image, as the manifest's reader gives it
subject     as in the manifest
sequence    as in the manifest; empty for stills
rank        intensity within the sequence; empty for stills
expression  as in the manifest; empty where unlabelled
label       of the Datum
==========  ========================================================================================
"""

import csv
import json
from pathlib import Path
from typing import NamedTuple

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.text import open_lines

SHEET = "test.csv"
TEST_LMDB = "test_lmdb"


class RecordRow(NamedTuple):
    """One row of ``test.csv``; every value is text, as in the file."""

    key: str
    path: str
    subject: str
    sequence: str
    rank: str
    expression: str
    label: str


def record_sheets(plan, out, left_out):
    """Yield (path, rows) of the ``test.csv`` beside each test LMDB of `plan`.

    Parameters
    ----------
    plan : Plan
    out : Path
        The folder that the plan's LMDBs lie in.
    left_out : container of int
        Numbers (from 1) of the rows that were not packed.
    """
    for target in plan.targets:
        path = Path(out) / target.path
        if path.name == TEST_LMDB:
            yield path.with_name(SHEET), _cells(plan, target, left_out)


def _cells(plan, target, left_out):
    for key, i, _ in target.records():
        if i + 1 not in left_out:
            row = plan.rows[i]
            rank = "" if row.rank is None else row.rank
            yield key, row.path, row.subject, row.sequence, rank, row.expression, plan.labels[i]


def read_test_records(folder, keys):
    """Return the `RecordRow` of each key of `folder`/test_lmdb, or None without a ``test.csv``.

    Parameters
    ----------
    folder : path
    keys : sequence of str
        Of the LMDB, in its order.

    Returns
    -------
    list of RecordRow or None

    Raises
    ------
    LmdbError
        ``test.csv`` is another LMDB's: a column or a key is missing.
    """
    path = Path(folder) / SHEET
    if not path.exists():
        return None
    with open_lines(path, LmdbError) as file:
        reader = csv.DictReader(file)
        missing = [name for name in RecordRow._fields if name not in (reader.fieldnames or ())]
        if missing:
            raise LmdbError(f"{path}: header: column {missing[0]!r} is missing")
        found = {row["key"]: RecordRow(*(row[n] for n in RecordRow._fields)) for row in reader}
    for key in keys:
        if key not in found:
            raise LmdbError(f"{path}: no row of the key {key!r}, which is in {TEST_LMDB}")
    return [found[key] for key in keys]


def read_classes(folder):
    """Return the class names in ``packed.json`` of `folder`: position = label.

    Returns
    -------
    tuple of str or None
        None where there is no ``packed.json``, or it is of identities.

    Raises
    ------
    LmdbError
        ``packed.json`` cannot be read.
    """
    path = Path(folder) / "packed.json"
    if not path.exists():
        return None
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["options"].get("classes")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise LmdbError(f"{path}: not what gcnet make-lmdb writes: {error!r}") from None
    return tuple(names) if names else None
