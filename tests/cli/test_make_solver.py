"""What make-net and make-solver have in common: the test set, the folder, --all."""

import pytest

from gcnet_caffe import nets
from gcnet_caffe.cli import main
from gcnet_caffe.formats import read_net, read_solver
from tests.scratch import write_lmdb


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder, in which we are."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words, data", [([], "data/ck7/fold0"), (["--data", "mine"], "mine")])
def test_fit_test_counts_the_test_images(words, data, here):
    write_lmdb(here / data / "test_lmdb", [0] * 133, 2)
    for verb in ("make-net", "make-solver"):
        assert main([verb, "--fit-test", "--short-names", "-o", "out", *words]) == 0
    net = read_net("out/train_test.prototxt")
    assert net.layer[1].data_param.batch_size == 19
    assert read_solver("out/solver.prototxt").test_iter == [7]


def test_fit_test_without_an_lmdb_is_one_line(here, capsys):
    assert main(["make-solver", "--fit-test", "-o", "out"]) == 1
    assert "data/ck7/fold0/test_lmdb: no LMDB here" in capsys.readouterr().err
    assert not (here / "out").exists()


@pytest.mark.parametrize(
    "verb, folders", [("make-net", ("prototxt", "solvers")), ("make-solver", ("solvers",))]
)
def test_all_writes_the_committed_files_to_their_own_folders(verb, folders, here, capsys):
    assert main([verb, "--all", "-o", "elsewhere"]) == 2
    err = capsys.readouterr().err
    assert f"-o elsewhere: --all writes to {' and '.join(folders)}; drop -o" in err
    assert err.count("\n") == 1 and not list(here.iterdir())
    assert main([verb, "--all"]) == 0
    written = {path.relative_to(here).as_posix() for path in here.rglob("*.prototxt")}
    assert written == {name for name in nets.committed() if name.split("/")[0] in folders}
