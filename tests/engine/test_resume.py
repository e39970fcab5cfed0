"""A run that was killed goes on bit for bit, and what is not a snapshot is refused."""

import functools
import os
import random
import shutil
import signal

import numpy as np
import pytest

from gcnet_caffe import cli
from gcnet_caffe.engine.weights import read_caffemodel
from gcnet_caffe.errors import WeightsError
from tests import processes
from tests.engine import runs
from tests.scratch import make_tree

KILLS = 10
SOLVER = "gcnet_caffe.engine.solver:Solver"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("resume"), batch_size=2)


def newest(prefix):
    states = sorted(
        prefix.parent.glob(f"{prefix.name}_iter_*.resume.json"),
        key=lambda path: int(path.name.split("_iter_")[1].split(".")[0]),
    )
    return str(states[-1]).replace(".resume.json", ".solverstate") if states else None


def test_ten_kills_change_nothing(tree, monkeypatch):
    monkeypatch.chdir(tree)
    changes = {"max_iter": 40, "snapshot": 3, "snapshot_after_train": True, "average_loss": 5}
    changes.update(test_iter=[2], test_interval=7, test_initialization=True)
    path = runs.solver_of(tree, "cnn", **changes)
    assert cli.main(["train", "-solver", path]) == 0
    straight = (tree / "snapshots/cnn_iter_40.caffemodel").read_bytes()
    shutil.rmtree("snapshots")
    (tree / "snapshots").mkdir()
    draw = random.Random(0)
    for _ in range(KILLS):
        # in an iteration, or before one of a snapshot's three files has its name
        place = draw.choice(
            [("gcnet_caffe.engine.solver:Solver", "forward_backward"), ("os", "replace")]
        )
        death = functools.partial(processes.die_before, *place, draw.randint(2, 5))
        died = processes.start(resumed(tree, path), tree, death)
        assert processes.finish(died) == -signal.SIGKILL
    assert 12 <= int(newest(tree / "snapshots/cnn").split("_iter_")[1].split(".")[0]) < 40
    assert cli.main(resumed(tree, path)) == 0
    assert (tree / "snapshots/cnn_iter_40.caffemodel").read_bytes() == straight


def resumed(tree, path):
    """Return the words that train the solver at `path` from its newest snapshot."""
    state = newest(tree / "snapshots/cnn")
    return ["train", "-solver", path, *(["-snapshot", state] if state else [])]


@pytest.fixture
def snapshots(tree, monkeypatch):
    monkeypatch.chdir(tree)
    shutil.rmtree("snapshots")
    (tree / "snapshots").mkdir()
    path = runs.solver_of(tree, "cnn", max_iter=4, snapshot=2)
    assert cli.main(["train", "-solver", path]) == 0
    return path


def test_every_cut_of_every_file_is_refused_with_the_snapshot_before(snapshots, tree):
    solver = runs.make_solver(snapshots)
    for name in ("solverstate", "caffemodel", "resume.json"):
        file = tree / f"snapshots/cnn_iter_4.{name}"
        whole = file.read_bytes()
        for cut in (0, 1, 10, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:cut])
            with pytest.raises(WeightsError, match="before it: snapshots/cnn_iter_2.solverstate"):
                solver.restore("snapshots/cnn_iter_4.solverstate")
        file.write_bytes(whole)
    solver.restore("snapshots/cnn_iter_4.solverstate")
    assert solver.iteration == 4


def test_foreign_snapshots_are_refused(snapshots, tree):
    solver = runs.make_solver(snapshots)
    with pytest.raises(WeightsError, match="not a .solverstate"):
        solver.restore("snapshots/cnn_iter_4.caffemodel")
    with pytest.raises(WeightsError, match="No such file"):
        solver.restore("snapshots/none_iter_4.solverstate")
    with pytest.raises(WeightsError, match="Incorrect length of history blobs"):
        runs.make_solver(runs.solver_of(tree, "S1R1")).restore("snapshots/cnn_iter_4.solverstate")
    with pytest.raises(WeightsError, match="Incorrect length of history blobs"):
        adam = runs.solver_of(tree, "cnn", type="Adam")
        runs.make_solver(adam).restore("snapshots/cnn_iter_4.solverstate")
    with pytest.raises(WeightsError, match="has no weights|not a binary NetParameter"):
        read_caffemodel("snapshots/cnn_iter_4.solverstate")


@pytest.mark.parametrize("number, ends", [(signal.SIGINT, True), (signal.SIGHUP, False)])
def test_signals_as_caffe_takes_them(tree, monkeypatch, number, ends):
    monkeypatch.chdir(tree)
    shutil.rmtree("snapshots")
    (tree / "snapshots").mkdir()
    path = runs.solver_of(tree, "cnn", max_iter=100000, snapshot_after_train=True)
    log = tree / "stderr"
    log.write_text("")
    process = processes.start(["train", "-solver", path], tree)
    processes.wait_until(lambda: "Iteration 0" in log.read_text(), process)
    os.kill(process.pid, number)
    if ends:
        assert processes.finish(process) == 0
        assert "Optimization stopped early." in log.read_text()
    else:
        processes.wait_until(lambda: newest(tree / "snapshots/cnn"), process)
        process.kill()
        processes.finish(process)
    assert newest(tree / "snapshots/cnn")


def test_a_resumed_run_logs_what_the_straight_one_logs(tree, monkeypatch, capfd):
    monkeypatch.chdir(tree)
    changes = {"max_iter": 8, "snapshot": 4, "display": 2, "average_loss": 3}
    path = runs.solver_of(tree, "cnn", **changes)
    logs = []
    for words in ([], ["-snapshot", "snapshots/cnn_iter_4.solverstate"]):
        capfd.readouterr()
        assert cli.main(["train", "-solver", path, *words]) == 0
        lines = [line.split("] ")[1] for line in capfd.readouterr().err.splitlines()]
        logs.append([line.split(", loss")[-1] for line in lines if ", loss = " in line])
    assert logs[1] == logs[0][-len(logs[1]) :]
    assert len(logs[1]) == 3 and np.isfinite(float(logs[1][0].split()[-1]))
