"""test.csv: what each record of a test LMDB shows."""

import csv

import pytest

from gcnet_caffe.errors import LmdbError, UsageError
from gcnet_caffe.formats.lmdb_file import read_datums
from gcnet_caffe.packing.pack import pack_cross, pack_pairs
from gcnet_caffe.packing.provenance import read_classes, read_packed
from gcnet_caffe.packing.record_table import RecordRow, read_test_records
from tests.packing.drawn_faces import pair_rows, write_rows

CLASSES = ("happy", "sad")


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Two folds of four subjects; happy faces are of sequences, sad ones are stills."""
    folder = tmp_path_factory.mktemp("records")
    rows = pair_rows(folder)
    for row in rows:
        if row["expression"] != "sad":
            row.update(sequence=f"{row['subject']}_001", rank=3)
    manifest = write_rows(folder / "pairs.csv", rows)
    (folder / "S3_sad.png").unlink()  # left out
    options = {"folds": 2, "copies": 2, "workers": 1, "skip_failures": True}
    pack_pairs(manifest, folder / "out", CLASSES, **options)
    return folder


def test_the_rows_are_the_records(packed):
    fold = packed / "out/fold0"
    with open(fold / "test.csv", newline="") as file:
        rows = [RecordRow(**row) for row in csv.DictReader(file)]
    records = list(read_datums(fold / "test_lmdb"))
    assert [(row.key, row.label) for row in rows] == [
        (key.decode(), str(datum.label)) for key, datum in records
    ]
    assert [row[1:] for row in rows] == [
        (f"{packed}/S1_happy.png", "S1", "S1_001", "3", "happy", "0"),
        (f"{packed}/S1_sad.png", "S1", "", "", "sad", "1"),
        (f"{packed}/S3_happy.png", "S3", "S3_001", "3", "happy", "0"),
    ]
    assert read_test_records(fold, [row.key for row in rows]) == rows
    assert read_classes(fold) == CLASSES


def test_a_test_on_other_data_has_its_rows(tmp_path):
    for name in ("train", "test"):
        (tmp_path / name).mkdir()
        rows = pair_rows(tmp_path / name, subjects=2)
        write_rows(tmp_path / name / "all.csv", rows)
    train, test = tmp_path / "train/all.csv", tmp_path / "test/all.csv"
    pack_cross(train, test, tmp_path / "out", ("happy", "sad", "neutral"), workers=1)
    keys = [key.decode() for key, _ in read_datums(tmp_path / "out/test_lmdb")]
    rows = read_test_records(tmp_path / "out", keys)
    assert [row.expression for row in rows] == ["neutral", "happy", "sad"] * 2
    assert {row.path.rsplit("/", 2)[1] for row in rows} == {"test"}


def test_without_it_and_with_that_of_another_lmdb(packed, tmp_path):
    assert read_test_records(tmp_path, ["a"]) is None
    assert read_classes(tmp_path) is None
    with pytest.raises(
        UsageError, match="packed.json: No such file or directory; wanted LMDBs of `gcnet make"
    ):
        read_packed(tmp_path)
    with pytest.raises(LmdbError, match="test.csv: the key 'a' of test_lmdb has no row"):
        read_test_records(packed / "out/fold0", ["a"])
    (tmp_path / "test.csv").write_text("key,label\n")
    with pytest.raises(LmdbError, match="column 'path' is missing"):
        read_test_records(tmp_path, [])
    for text in ("[]", "{", '{"options": {}}', '{"manifest": 1}'):
        (tmp_path / "packed.json").write_text(text)
        with pytest.raises(LmdbError, match="packed.json: not what gcnet make-lmdb writes"):
            read_classes(tmp_path)
