"""The committed prototxts and solvers are what the builders write."""

import difflib

from gcnet_caffe import nets
from gcnet_caffe.cli import main
from gcnet_caffe.formats import caffe_pb, parse_text
from tests.scratch import ROOT


def test_committed_files_regenerate():
    for path, text in nets.committed().items():
        committed = (ROOT / path).read_text()
        diff = "".join(
            difflib.unified_diff(
                committed.splitlines(True), text.splitlines(True), f"{path} (committed)", "rebuilt"
            )
        )
        assert not diff, f"accept it with: gcnet make-net --all\n{diff}"


def test_nothing_else_is_committed_beside_them():
    found = {
        str(p.relative_to(ROOT)) for f in ("prototxt", "solvers") for p in (ROOT / f).iterdir()
    }
    assert found == set(nets.committed())


def test_the_ten_solvers_read_ten_folds():
    for fold in range(10):
        solver = parse_text(
            (ROOT / f"solvers/ck_fold{fold}.prototxt").read_text(), caffe_pb.SolverParameter
        )
        net = parse_text((ROOT / solver.net).read_text(), caffe_pb.NetParameter)
        sources = [layer.data_param.source for layer in net.layer if layer.type == "Data"]
        assert sources == [f"data/ck7/fold{fold}/{phase}_lmdb" for phase in ("train", "test")]


def test_bare_make_net_and_make_solver_write_the_committed_files(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["make-net", "--variant", "S1R1"]) == main(["make-solver"]) == 0
    written = capsys.readouterr().out.split()
    assert written == [
        "prototxt/ck_fold0_S1R1_train_test.prototxt",
        "prototxt/ck_S1R1_deploy.prototxt",
        "solvers/ck_fold0.prototxt",
    ]
    for path in written:
        assert (tmp_path / path).read_text() == (ROOT / path).read_text()


def test_the_first_line_of_a_file_makes_it_again(tmp_path, monkeypatch):
    """Options other than the defaults stand in the header's command."""
    monkeypatch.chdir(tmp_path)
    flags = (
        "--variant S1R0 --fold 3 --name mmi --num-classes 6 --neutral-class --padding valid "
        "--margin 2.0 --no-fc-relu --batch-size 16 --data data/mmi6/fold3"
    )
    assert main(["make-net", *flags.split(), "-o", "a"]) == 0
    text = (tmp_path / "a/mmi_fold3_S1R0_train_test.prototxt").read_text()
    assert text.splitlines()[0] == f"# Made by: python tools/make_net.py {flags}"
    for name in ("mmi_S1R0_deploy.prototxt", "mmi_fold3_S1R0_train_test.prototxt"):
        first = (tmp_path / "a" / name).read_text().splitlines()[0]
        assert main(["make-net", *first.split("make_net.py ")[1].split(), "-o", "b"]) == 0
        assert (tmp_path / "a" / name).read_text() == (tmp_path / "b" / name).read_text()
