"""Files written by one engine are read by the other."""

import re
import shutil

import numpy as np
import pytest

from gcnet_caffe import cli
from gcnet_caffe.formats import read_solver, to_text
from tests.engine import runs
from tests.scratch import make_tree

pytestmark = pytest.mark.caffe


@pytest.fixture
def tree(caffe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_tree(tmp_path, batch_size=4)


def outputs(log):
    """Return {output: value} of the last test in a log."""
    found = re.findall(r"(?:Test net output #\d+: |\] )(\w+) = (\S+)", log)
    return {name: float(value) for name, value in found}


@pytest.fixture(scope="module")
def nearly(caffe, tmp_path_factory):
    """Blobs after 60 iterations of Caffe: with two threads, and with other start weights."""
    folder = make_tree(tmp_path_factory.mktemp("nearly"), batch_size=4)
    path = runs.solver_of(folder, "cnn", max_iter=60)
    return [
        runs.record(caffe, folder, path, 60, threads=2),
        runs.record(caffe, folder, path, 60, "ulp"),
    ]


@pytest.mark.parametrize("ending", ["", ".h5"])
def test_training_goes_on_in_the_other_engine(ending, tree, nearly, caffe):
    """30 iterations here and 30 there, as near to 60 of Caffe as Caffe is to itself, times 3.

    Caffe itself: with two threads, and with start weights that are one float32 step off.
    """
    changes = {"max_iter": 60, "snapshot": 30, "snapshot_after_train": True}
    path = runs.solver_of(tree, "cnn", snapshot_format=0 if ending else 1, **changes)
    state = f"snapshots/cnn_iter_30.solverstate{ending}"
    model = f"snapshots/cnn_iter_60.caffemodel{ending}"
    results = {}
    caffe.run_caffe(["train", "-solver", path], tree)
    results["caffe"] = runs.make_blobs(model, _Everything())
    assert cli.main(["train", "-solver", path, "-snapshot", state]) == 0
    results["caffe, engine"] = runs.make_blobs(model, _Everything())
    caffe.run_caffe(["train", "-solver", path, "-snapshot", state], tree)
    results["caffe, caffe"] = runs.make_blobs(model, _Everything())
    shutil.rmtree("snapshots")
    (tree / "snapshots").mkdir()
    assert cli.main(["train", "-solver", path]) == 0
    results["engine"] = runs.make_blobs(model, _Everything())
    caffe.run_caffe(["train", "-solver", path, "-snapshot", state], tree)
    results["engine, caffe"] = runs.make_blobs(model, _Everything())
    itself = max(apart(other, results["caffe"]) for other in nearly)
    assert apart(results["engine"], results["caffe"]) <= 3 * itself
    # a resume of Caffe's starts the data again: compared with Caffe's own resume
    for mixed in ("caffe, engine", "engine, caffe"):
        assert apart(results[mixed], results["caffe, caffe"]) <= 3 * itself, mixed


class _Everything:
    def __contains__(self, _):
        return True


def apart(found, wanted):
    keys = [key for key in wanted if "bn" not in key]
    error = sum(np.square(np.float64(1) * found[key] - wanted[key]).sum() for key in keys)
    return np.sqrt(error / sum(np.square(np.float64(1) * wanted[key]).sum() for key in keys))


def test_test_gives_the_same_scores_on_the_weights_of_either(tree, caffe, capfd):
    path = runs.solver_of(tree, "cnn", max_iter=20, snapshot_after_train=True)
    net = read_solver(path).net
    model = "snapshots/cnn_iter_20.caffemodel"
    for trained in ("engine", "caffe"):
        if trained == "engine":
            assert cli.main(["train", "-solver", path]) == 0
        else:
            caffe.run_caffe(["train", "-solver", path], tree)
        words = ["test", "-model", net, "-weights", model, "-iterations", "12"]
        theirs = outputs(caffe.run_caffe(words, tree).stderr)
        capfd.readouterr()
        assert cli.main(words) == 0
        ours = outputs(capfd.readouterr().err)
        assert ours.keys() == theirs.keys()
        assert ours["accuracy"] == theirs["accuracy"]
        for name, value in theirs.items():
            assert ours[name] == pytest.approx(value, rel=1e-4)


def test_gradients_in_a_snapshot_are_caffes(tree, caffe):
    from gcnet_caffe.formats.hdf5 import opened

    path = runs.solver_of(
        tree, "cnn", max_iter=1, snapshot_after_train=True, snapshot_diff=True, snapshot_format=0
    )
    model = "snapshots/cnn_iter_1.caffemodel.h5"
    found = []
    for run in (
        lambda: cli.main(["train", "-solver", path]),
        lambda: caffe.run_caffe(["train", "-solver", path], tree),
    ):
        run()
        with opened(model) as file:
            found.append(
                {
                    f"{n}:{i}": np.array(file["diff"][n][i])
                    for n in file["diff"]
                    for i in file["diff"][n]
                }
            )
    assert found[0].keys() == found[1].keys()
    for key, theirs in found[1].items():
        if "bn" not in key:
            assert runs.distance(found[0][key], theirs) <= 1e-3, key


def test_a_log_is_read_by_caffes_own_format(tree, caffe, capfd):
    """The lines of both logs have one shape: the same words, other numbers."""
    path = runs.solver_of(
        tree, "cnn", max_iter=4, display=2, test_iter=[2], test_interval=2, average_loss=2
    )
    theirs = caffe.run_caffe(["train", "-solver", path], tree).stderr
    capfd.readouterr()
    assert cli.main(["train", "-solver", path]) == 0
    ours = capfd.readouterr().err

    def shape(log):
        start = log.index("] Solving ")
        lines = [line.split("] ", 1)[1] for line in log[start:].splitlines() if "] " in line]
        lines = [re.sub(r"[-+.\de]*\d[-+.\de]*(?=[ ,s)]|$)", "N", line) for line in lines]
        noise = ("Ignoring", "Data layer prefetch", "Restarting", "Copying", "Test interrupted")
        return [line for line in lines if not line.startswith(noise)]

    assert shape(ours) == shape(theirs)


def test_solver_of_old_files(tree, caffe):
    """An old solver_type and an old net in one file, as people have them."""
    path = runs.solver_of(tree, "cnn", max_iter=2, snapshot_after_train=True)
    param = read_solver(path)
    text = to_text(param).replace('type: "Nesterov"', "solver_type: NESTEROV")
    (tree / "old.prototxt").write_text(text)
    assert cli.main(["train", "-solver", "old.prototxt"]) == 0
