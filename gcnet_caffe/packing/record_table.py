"""What each record of a test LMDB shows: ``test.csv`` beside the LMDB, with one row per record.

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

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gcnet_caffe.datasets.table import read_table
from gcnet_caffe.errors import LmdbError
from gcnet_caffe.packing.plan import Plan, Target

_TABLE = "test.csv"
_LMDB = "test_lmdb"


class RecordRow(NamedTuple):
    """One row of ``test.csv``; every value is text, as in the file."""

    key: str
    path: str
    subject: str
    sequence: str
    rank: str
    expression: str
    label: str


def test_tables(
    plan: Plan, out: Path, left_out: Container[int]
) -> Iterator[tuple[Path, Iterator[tuple[object, ...]]]]:
    """Yield (path, rows) of the ``test.csv`` beside each test LMDB of `plan`.

    Parameters
    ----------
    plan : Plan
    out : Path
        The output folder.
    left_out : container of int
        Numbers (from 1) of the rows that were not packed.
    """
    for target in plan.targets:
        path = out / target.path
        if path.name == _LMDB:
            yield path.with_name(_TABLE), _cells(plan, target, left_out)


def _cells(plan: Plan, target: Target, left_out: Container[int]) -> Iterator[tuple[object, ...]]:
    for key, i, _ in target.records():
        if i + 1 not in left_out:
            row = plan.rows[i]
            rank = "" if row.rank is None else row.rank
            yield key, row.path, row.subject, row.sequence, rank, row.expression, plan.labels[i]


def read_test_records(folder: str | Path, keys: Sequence[str]) -> list[RecordRow] | None:
    """Return the rows of ``test.csv`` in the order of the LMDB.

    Parameters
    ----------
    folder : str or Path
        The folder of ``test.csv`` and ``test_lmdb``.
    keys : sequence of str
        The keys of the LMDB, in its order.

    Returns
    -------
    list of RecordRow, or None
        None without a ``test.csv``.

    Raises
    ------
    LmdbError
        ``test.csv`` is another LMDB's: a column or a key is missing.
    """
    path = Path(folder) / _TABLE
    if not path.exists():
        return None
    table = read_table(path, "table", RecordRow._fields, LmdbError)
    found = {row["key"]: RecordRow(*(row[name] for name in RecordRow._fields)) for row in table}
    for key in keys:
        if key not in found:
            raise LmdbError(f"{path}: the key {key!r} of {_LMDB} has no row")
    return [found[key] for key in keys]
