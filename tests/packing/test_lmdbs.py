"""What was written is read back and compared with the plan: a false LMDB is never published."""

import lmdb
import numpy as np
import pytest

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats.lmdb_file import describe, read_datums
from gcnet_caffe.packing.crops import RowFaces, make_shard
from gcnet_caffe.packing.lmdbs import Assembly, assemble, verify
from gcnet_caffe.packing.plan import Target
from gcnet_caffe.packing.shards import Crops
from tests.packing.drawn_faces import POINTS, pair_rows


@pytest.fixture
def written(tmp_path):
    """An LMDB of six rows, two copies, shuffled; row 5 failed. Two shards of three rows."""
    names = [cells["path"] for cells in pair_rows(tmp_path, subjects=2)]
    rows = [RowFaces(i, ((str(tmp_path / name), POINTS),), 2) for i, name in enumerate(names)]
    rows[4] = rows[4]._replace(images=((str(tmp_path / "none.png"), POINTS),))
    shards = [tmp_path / "first", tmp_path / "second"]
    for path, some in zip(shards, (rows[:3], rows[3:])):
        path.write_bytes(make_shard((0, False, 1, some)))
    crops = Crops(shards, np.array([0, 6, 12]), np.arange(6) * 2, channels=1)
    target = Target("train_lmdb", range(6), 2, np.random.default_rng(0))
    path = tmp_path / "scratch/train_lmdb"
    path.parent.mkdir()
    task = Assembly(path, "out/train_lmdb", target, np.arange(6), frozenset([4]), crops)
    return task, assemble(task)


def test_the_records_and_their_order(written):
    task, facts = written
    assert facts.count == 10 and facts.labels == {0: 2, 1: 2, 2: 2, 3: 2, 5: 2}
    planned = [key for key, row, _ in task.target.records() if row != 4]
    found = list(read_datums(task.path))
    assert [key.decode() for key, _ in found] == planned
    for key, datum in found:
        row, copy = (int(part) for part in key.split(b"_")[1:])
        assert datum.label == row - 1
        assert datum.data == task.crops.pixels(row - 1, copy).tobytes()


def test_failures_are_kept(written):
    image, reason = written[0].crops.failures()[4]
    assert image.endswith("none.png") and "No such file" in reason


def test_a_failed_row_has_no_pixels(written):
    with pytest.raises(LmdbError, match="second: damaged: the record of row 5, copy 1"):
        written[0].crops.pixels(4, 1)


def _remove(transaction, key, value):
    transaction.delete(key)


def _add(transaction, key, value):
    transaction.put(key + b"x", value)


def _rename(transaction, key, value):
    transaction.delete(key)
    transaction.put(b"9" + key, value)


def _relabel(transaction, key, value):
    transaction.put(key, value[:-1] + bytes([value[-1] + 1]))  # the label comes last


def _change_a_pixel(transaction, key, value):
    transaction.put(key, value[:100] + bytes([value[100] ^ 1]) + value[101:])


@pytest.mark.parametrize(
    "damage, text",
    [
        (_remove, "record {1} of label {l1}, wanted {0} {l0}"),
        (_add, "record {0}x of label {l0}, wanted {1} {l1}"),
        (_rename, "record {1} of label {l1}, wanted {0} {l0}"),
        (_relabel, "record {0} of label {l0p}, wanted {0} {l0}"),
        (_change_a_pixel, "its pixels are not those written"),
    ],
)
def test_a_false_lmdb_is_told(written, damage, text):
    task, facts = written
    records = [(key, datum.label) for key, datum in read_datums(task.path)]
    with lmdb.open(str(task.path)) as env, env.begin(write=True) as transaction:
        damage(transaction, records[3][0], transaction.get(records[3][0]))
    (first, label), (second, other) = records[3:5]
    names = {"l0": label, "l0p": label + 1, "l1": other}
    text = text.format(first.decode(), second.decode(), **names)
    with pytest.raises(LmdbError, match=f"out/train_lmdb: read back after writing: {text}"):
        verify(task, facts)


def test_a_lost_end_and_a_long_end_are_told(written):
    task, facts = written
    last = [key for key, _ in read_datums(task.path)][-1]
    with lmdb.open(str(task.path)) as env, env.begin(write=True) as transaction:
        value = transaction.pop(last)
    with pytest.raises(LmdbError, match=f"it ends before record {last.decode()}"):
        verify(task, facts)
    with lmdb.open(str(task.path)) as env, env.begin(write=True) as transaction:
        transaction.put(last, value)
        transaction.put(last + b"x", value)
    with pytest.raises(LmdbError, match="wanted no more"):
        verify(task, facts)
    assert describe(task.path) != facts
