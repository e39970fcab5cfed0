import hashlib

import lmdb
import numpy as np
import pytest

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbWriter, describe, read_datums, read_records


def tiny(item):
    """A 2x3x4 Datum whose pixels tell item and position."""
    pixels = 40 * item + np.arange(24, dtype=np.uint8)
    return caffe_pb.Datum(channels=2, height=3, width=4, data=pixels.tobytes(), label=item)


def test_five_tiny_datums_come_back_in_the_order_of_their_keys(tmp_path):
    with LmdbWriter(tmp_path / "lmdb") as writer:
        for item in (3, 0, 4, 1, 2):
            writer.put(f"{item:08d}", tiny(item).SerializeToString())
    records = list(read_datums(tmp_path / "lmdb"))
    assert [key for key, _ in records] == [b"%08d" % item for item in range(5)]
    for item, (_, datum) in enumerate(records):
        assert datum.label == item
        pixels = np.frombuffer(datum.data, np.uint8).reshape(2, 3, 4)
        assert pixels[1, 2, 3] == 40 * item + 23 and pixels[0, 1, 2] == 40 * item + 6


def test_facts(tmp_path):
    with LmdbWriter(tmp_path / "lmdb") as writer:
        for item in (1, 0, 1):
            writer.put(f"{item}", tiny(item).SerializeToString())
    values = tiny(0).SerializeToString(), tiny(1).SerializeToString()
    stream = b"".join(
        len(part).to_bytes(4, "little") + part for part in (b"0", values[0], b"1", values[1])
    )
    facts = describe(tmp_path / "lmdb")
    assert (facts.count, facts.shapes, facts.labels) == (2, ((2, 3, 4),), {0: 1, 1: 1})
    assert facts.sha256 == hashlib.sha256(stream).hexdigest()


def test_the_map_grows(tmp_path, monkeypatch):
    monkeypatch.setattr("gcnet_caffe.formats.lmdb_file._FIRST_MAP_SIZE", 1 << 16)
    monkeypatch.setattr("gcnet_caffe.formats.lmdb_file._BATCH_BYTES", 1 << 14)
    with LmdbWriter(tmp_path / "lmdb") as writer:
        for item in range(300):
            writer.put(f"{item * 7919 % 300:08d}", bytes(4000))
    assert len(list(read_records(tmp_path / "lmdb"))) == 300


def test_reading_maps_the_file_in_parts(tmp_path, monkeypatch):
    with LmdbWriter(tmp_path / "lmdb", ascending=True) as writer:
        for item in range(50):
            writer.put(f"{item:08d}", b"%d" % item)
    whole = list(read_records(tmp_path / "lmdb"))
    assert whole == [(b"%08d" % item, b"%d" % item) for item in range(50)]
    monkeypatch.setattr("gcnet_caffe.formats.lmdb_file._READ_BYTES", 3)
    assert list(read_records(tmp_path / "lmdb")) == whole


@pytest.mark.parametrize("keys", ["ba", "aa"])
def test_ascending_keys_are_held_to_it(tmp_path, keys):
    with pytest.raises(LmdbError, match="lmdb: a key appears twice, or out of order"):
        with LmdbWriter(tmp_path / "lmdb", ascending=True) as writer:
            for key in keys:
                writer.put(key, b"value")


@pytest.mark.parametrize("name", ["none", "empty"])
def test_no_lmdb(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(LmdbError, match=f"{name}: no LMDB here"):
        list(read_records(tmp_path / name))


def test_an_lmdb_a_folder_deeper_is_named(tmp_path):
    for fold in (1, 0):
        (tmp_path / f"fold{fold}").mkdir()
        with LmdbWriter(tmp_path / f"fold{fold}/test_lmdb") as writer:
            writer.put("key", b"value")
    with pytest.raises(LmdbError, match=rf"folder\); there is {tmp_path}/fold0/test_lmdb$"):
        list(read_records(tmp_path / "test_lmdb"))


def test_broken_lmdb(tmp_path):
    (tmp_path / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(LmdbError, match="cannot read the LMDB"):
        list(read_records(tmp_path))


def test_a_record_that_is_no_datum_is_named(tmp_path):
    with lmdb.open(str(tmp_path / "lmdb")) as env, env.begin(write=True) as transaction:
        transaction.put(b"00000007", b"\xff\xff\xff")
    with pytest.raises(LmdbError, match="record '00000007' is not a Datum"):
        describe(tmp_path / "lmdb")
