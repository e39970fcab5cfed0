"""`gcnet check`: an LMDB that does not fit its net is refused in one line."""

import pytest

from gcnet_caffe.check import check
from gcnet_caffe.cli import main
from gcnet_caffe.errors import CheckError, LmdbError, SchemaError
from tests.scratch import make_tree, write_lmdb

SOLVER = "solvers/ck_fold0.prototxt"
IDENTITY = "solvers/pretrain_identity.prototxt"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_tree(tmp_path)


def _replace(tree, name, labels, channels, **how):
    for file in (tree / name).iterdir():
        file.unlink()
    (tree / name).rmdir()
    write_lmdb(tree / name, labels, channels, **how)


def test_a_fitting_lmdb_passes_with_its_facts(tree, capsys):
    assert main(["check", SOLVER]) == 0
    out, err = capsys.readouterr()
    assert "TRAIN data/ck7/fold0/train_lmdb: 24 records, 2x66x66, labels 0..7" in out
    assert "test_iter 98 x batch_size 1 = 98 of 12 records" in err
    assert check("prototxt/ck_fold0_S1R1_train_test.prototxt").warnings == []


def test_label_out_of_range(tree):
    _replace(tree, "data/ck7/fold0/train_lmdb", [0, 8, 8], 2)
    with pytest.raises(CheckError, match=r"train_lmdb: label 8 \(2 records\).*wants 0\.\.7"):
        check(SOLVER)
    _replace(tree, "data/webface/test_lmdb", [0, 10575], 1)
    with pytest.raises(CheckError, match="label 10575 .*wants 0..10574"):
        check(IDENTITY)


@pytest.mark.parametrize(
    "channels, size, wanted", [(1, 66, "1 channel.*wants 2"), (2, 60, "60x60.*wants 64x64")]
)
def test_wrong_channels_or_size(tree, channels, size, wanted):
    _replace(tree, "data/ck7/fold0/train_lmdb", [0, 1], channels, size=size)
    with pytest.raises(CheckError, match=wanted):
        check(SOLVER)


def test_pairs_given_to_a_pretraining(tree):
    _replace(tree, "data/webface/train_lmdb", [0, 1], 2)
    with pytest.raises(CheckError, match="2 channel.*wants 1"):
        check(IDENTITY)


def test_small_sets_are_warned_about(tree):
    _replace(tree, "data/ck7/fold0/train_lmdb", [0, 1], 2)
    assert any("fewer than batch_size 4" in text for text in check(SOLVER).warnings)


def test_missing_and_empty_lmdbs_and_folders(tree):
    _replace(tree, "data/ck7/fold0/test_lmdb", [], 2)
    with pytest.raises(CheckError, match="test_lmdb: holds no records"):
        check(SOLVER)
    (tree / "snapshots").rmdir()
    _replace(tree, "data/ck7/fold0/test_lmdb", [0], 2)
    with pytest.raises(CheckError, match="snapshot_prefix: there is no folder snapshots"):
        check(SOLVER)
    (tree / "data/ck7/fold0/train_lmdb/data.mdb").unlink()
    with pytest.raises(LmdbError, match="train_lmdb: no LMDB here"):
        check(SOLVER)


def test_a_misspelt_field_gives_one_line_and_exit_1(tree, capsys):
    path = tree / "prototxt/ck_fold0_S1R1_train_test.prototxt"
    path.write_text(path.read_text().replace("num_output: 384", "num_outputs: 384"))
    assert main(["check", SOLVER]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "did you mean 'num_output'?" in err and str(path.name) in err
    with pytest.raises(SchemaError, match="nothing.prototxt: No such file"):
        check("nothing.prototxt")
