"""`gcnet check`: what it says of the committed solvers, and of what it cannot look into."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.errors import GcnetError, LmdbError, NetError, SchemaError
from gcnet_caffe.packing.check import check
from tests.packing.test_check_agrees import SCORE, data, inline
from tests.scratch import make_tree, write_lmdb

SOLVER = "solvers/ck_fold0.prototxt"
IDENTITY = "solvers/pretrain_identity.prototxt"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_tree(tmp_path)


def _replace(tree: Path, name: str, labels: list[int], channels: int, **how: Any) -> None:
    for file in (tree / name).iterdir():
        file.unlink()
    (tree / name).rmdir()
    write_lmdb(tree / name, labels, channels, **how)


def test_a_fitting_lmdb_passes_with_its_facts(tree: Path, capsys: Any) -> None:
    assert main(["check", SOLVER]) == 0
    out, err = capsys.readouterr()
    assert "TRAIN data/ck7/fold0/train_lmdb: 24 records, 2x66x66, labels 0..7" in out
    assert "TEST data/ck7/fold0/test_lmdb: 12 records, 2x66x66, labels 0..6" in out
    assert "test_iter 98 x batch_size 1 = 98 of 12 records" in err
    assert check("prototxt/ck_fold0_S1R1_train_test.prototxt").warnings == []
    deploy = "prototxt/ck_S1R1_deploy.prototxt"
    assert main(["check", deploy]) == 0
    assert capsys.readouterr().out == f"{deploy}: no layer reads an LMDB: nothing to compare\n"


def test_label_out_of_range(tree: Path) -> None:
    _replace(tree, "data/ck7/fold0/train_lmdb", [0, 8, 8], 2)
    with pytest.raises(
        LmdbError, match=r"train_lmdb: record '00000001': label 8.*needs 0\.\.6 or 7"
    ):
        check(SOLVER)
    _replace(tree, "data/webface/test_lmdb", [0, 10575], 1)
    with pytest.raises(LmdbError, match=r"label 10575, .*needs 0\.\.10574"):
        check(IDENTITY)


def test_images_that_are_too_small(tree: Path) -> None:
    _replace(tree, "data/ck7/fold0/train_lmdb", [0, 1], 2, size=60)
    with pytest.raises(LmdbError, match="'00000000': 60 x 60, crop_size needs 64 x 64"):
        check(SOLVER)


def test_nets_of_ours_are_made_for_a_number_of_images(tree: Path) -> None:
    _replace(tree, "data/webface/train_lmdb", [0, 1], 2)
    assert any("2 channel(s), gcnet_" in text for text in check(IDENTITY).warnings)
    _replace(tree, "data/ck7/fold0/train_lmdb", [0, 1], 4)
    assert any("needs 2" in text for text in check(SOLVER).warnings)


def test_small_sets_are_warned_about(tree: Path) -> None:
    _replace(tree, "data/ck7/fold0/train_lmdb", [0, 1], 2)
    assert any("fewer than batch_size 4" in text for text in check(SOLVER).warnings)


def test_missing_and_empty_lmdbs_and_folders(tree: Path) -> None:
    _replace(tree, "data/ck7/fold0/test_lmdb", [], 2)
    with pytest.raises(LmdbError, match="test_lmdb: has no records"):
        check(SOLVER)
    (tree / "snapshots").rmdir()
    with pytest.raises(NetError, match="make sure that the folder snapshots exists"):
        check(SOLVER)
    (tree / "snapshots").mkdir()
    (tree / "data/ck7/fold0/train_lmdb/data.mdb").unlink()
    with pytest.raises(LmdbError, match="train_lmdb: no LMDB here"):
        check(SOLVER)


def test_a_misspelt_field_gives_one_line_and_exit_1(tree: Path, capsys: Any) -> None:
    path = tree / "prototxt/ck_fold0_S1R1_train_test.prototxt"
    path.write_text(path.read_text().replace("num_output: 384", "num_outputs: 384"))
    assert main(["check", SOLVER]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "did you mean 'num_output'?" in err and str(path.name) in err
    with pytest.raises(SchemaError, match="nothing.prototxt: No such file"):
        check("nothing.prototxt")


# What only real Caffe reads. --------------------------------------------------------------------


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_lmdb(tmp_path / "lmdb", [0, 1, 2], 1, size=8)
    return tmp_path


def _warnings(here: Path, net: str, **flags: Any) -> list[str]:
    (here / "solver.prototxt").write_text(inline(net))
    return check("solver.prototxt", **flags).warnings


LOSS = 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }'


def test_what_cannot_be_read_here_and_layers_of_other_caffes_are_passed_over(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "leveldb").mkdir()
    (here / "leveldb/CURRENT").write_text("MANIFEST-000004\n")
    for name in ("plyvel", "plyvel_next"):
        monkeypatch.setitem(sys.modules, name, None)  # as if it were not installed
    net = data("leveldb").replace("LMDB", "LEVELDB") + SCORE + LOSS
    words = "is not checked: LEVELDB needs plyvel_next: pip install 'gcnet-caffe[leveldb]'"
    assert _warnings(here, net) == [f"leveldb: {words}"]
    other = 'layer { name: "data" type: "PairData" top: "data" top: "label" }' + SCORE + LOSS
    assert _warnings(here, other) == ["layer 'data' (PairData): its data is not checked"]


def test_labels_that_cannot_be_held_against_a_layer(here: Path) -> None:
    foreign = 'layer { name: "score" type: "Python" bottom: "data" top: "score" }'
    assert "layer 'loss' (SoftmaxWithLoss): its number of classes" in "".join(
        _warnings(here, data("lmdb") + foreign + LOSS)
    )


@pytest.mark.parametrize("type_", ["MultinomialLogisticLoss", "InfogainLoss"])
def test_layers_that_only_caffe_has(type_: str, here: Path) -> None:
    net = data("lmdb", batch=3) + SCORE + LOSS.replace("SoftmaxWithLoss", type_)
    assert _warnings(here, net) == []
    with pytest.raises(LmdbError, match=rf"label 2, layer 'loss' \({type_}\) needs 0\.\.1"):
        _warnings(here, net.replace("num_output: 3", "num_output: 2"))


def test_labels_that_are_embedded(here: Path) -> None:
    embed = (
        'layer { name: "e" type: "Embed" bottom: "label" top: "e" embed_param { input_dim: 2 } }'
    )
    with pytest.raises(LmdbError, match=r"label 2, layer 'e' \(Embed\) needs 0\.\.1"):
        _warnings(here, data("lmdb") + embed)


def test_a_folder_that_caffe_does_not_make(here: Path) -> None:
    text = inline(data("lmdb") + SCORE + LOSS, more='snapshot_prefix: "none/small"')
    (here / "solver.prototxt").write_text(text.replace("snapshot_after_train: false", ""))
    assert "there is no folder none; make it" in "".join(check("solver.prototxt").warnings)


def test_level_and_stage_are_those_of_caffe_train(here: Path, capsys: Any) -> None:
    bad = LOSS.replace("top:", 'include { stage: "s" min_level: 1 } top:')
    net = data("lmdb") + SCORE.replace("num_output: 3", "num_output: 2") + bad
    assert _warnings(here, net) == []
    assert _warnings(here, net, stages=["s"]) == []
    with pytest.raises(GcnetError, match="label 2"):
        _warnings(here, net, stages=["s"], level=1)
    assert main(["check", "solver.prototxt", "-stage", "s", "-level=2"]) == 1
    assert "label 2, layer 'loss'" in capsys.readouterr().err


def test_a_net_alone_is_checked_in_both_phases(here: Path) -> None:
    for phase, other in (("TRAIN", "TEST"), ("TEST", "TRAIN")):
        net = data("lmdb", more=f"include {{ phase: {other} }}")
        net += data("lmdb", "crop_size: 9", more=f"include {{ phase: {phase} }}") + SCORE + LOSS
        (here / "net.prototxt").write_text(net)
        with pytest.raises(LmdbError, match="8 x 8, crop_size needs 9 x 9"):
            check("net.prototxt")
    (here / "net.prototxt").write_text(data("lmdb", more="include { phase: TEST }") + SCORE)
    assert len(check("net.prototxt").facts) == 1
