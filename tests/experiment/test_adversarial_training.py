"""A training folder with a second player's solver: both engines train the two in turns."""

import functools
import re
import signal

import pytest

from gcnet_caffe.engine.weights import read_caffemodel
from gcnet_caffe.experiment.training import train_folder
from gcnet_caffe.formats import read_solver, to_text
from gcnet_caffe.formats.log import read_log
from tests import processes
from tests.engine.two_players import write_players
from tests.experiment.test_training import kill_at

PLAYERS = ("", "discriminator_")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    run.mkdir()
    write_folder(run, max_iter=30, snapshot=4)
    return run


def write_folder(run, **changes):
    """Write both players' nets and solvers into `run`, under the names of a training folder."""
    for prefix, path in zip(PLAYERS, write_players(run.parent, display=1, **changes)):
        param = read_solver(path)
        net = run / f"{prefix}train_test.prototxt"
        net.write_text((run.parent / param.net).read_text())
        param.net = f"run/{net.name}"
        param.snapshot_prefix = f"run/snapshots/{prefix}net"
        (run / f"{prefix}solver.prototxt").write_text(to_text(param))


def test_killed_it_ends_with_the_same_bytes_and_log(folder):
    train_folder("run")
    weights = folder / "weights.caffemodel"
    straight, curve = weights.read_bytes(), read_log(folder / "train.log")
    assert (
        len(curve["Train", "total loss"]) == len(curve["Train", "discriminator total loss"]) == 31
    )
    assert {"loss_real", "loss_generated", "loss_generation"} <= {name for _, name in curve}
    assert {name[:4] for name, blobs, _ in read_caffemodel(weights) if blobs} == {
        "enc1",
        "dec1",
        "disc",
    }
    weights.unlink()
    (folder / "train.log").unlink()
    for iteration in (6, 17):
        kill_at(folder, iteration)
    train_folder("run")
    assert weights.read_bytes() == straight
    assert read_log(folder / "train.log") == curve


def test_snapshots_of_which_one_is_missing_are_passed_over(folder):
    train_folder("run")
    straight = (folder / "weights.caffemodel").read_bytes()
    (folder / "weights.caffemodel").unlink()
    (folder / "train.log").unlink()
    kill_at(folder, 18)
    states = folder.glob("snapshots/net_iter_*.solverstate")
    newest = max(states, key=lambda path: int(re.search(r"\d+", path.name)[0]))
    newest.unlink()
    train_folder("run")
    assert (folder / "weights.caffemodel").read_bytes() == straight


@pytest.mark.parametrize("name", ["discriminator_solver", "discriminator_train_test"])
def test_snapshots_of_another_second_player_are_forgotten(name, folder):
    kill_at(folder, 6)
    (folder / "train.log").unlink()
    path = folder / f"{name}.prototxt"
    path.write_text("# another\n" + path.read_text())
    train_folder("run")
    assert "Resuming from" not in (folder / "train.log").read_text()


@pytest.mark.caffe
def test_real_caffe_goes_on_from_its_last_snapshots(folder, caffe):
    write_folder(folder, max_iter=16, snapshot=4)
    death = functools.partial(processes.die_after_caffes_line, "net_iter_12.solverstate")
    died = processes.start(["train-folder", "run", "--engine", "caffe"], folder.parent, death)
    assert processes.finish(died) == -signal.SIGKILL
    train_folder("run", "caffe")
    assert (folder / "weights.caffemodel").stat().st_size
    assert "SGDSolver: restoring history" in (folder / "train.log").read_text()
    assert {"loss_real", "loss_generation"} <= {name for _, name in read_log(folder / "train.log")}
