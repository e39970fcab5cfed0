"""The training of one folder: it goes on after a kill, and forgets what it was not made with."""

import fcntl
import functools
import os
import re
import signal
import threading

import pytest

from gcnet_caffe import cli
from gcnet_caffe.engine.options import EngineOptions
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.experiment import training
from gcnet_caffe.experiment.training import train_folder
from gcnet_caffe.formats.log import read_log
from tests import processes
from tests.engine.small import write_small

SCHEDULE = 'snapshot: 5 snapshot_prefix: "run/snapshots/net"'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_small(tmp_path, transform="mirror: true crop_size: 20")
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "net.prototxt").rename(run / "train_test.prototxt")
    write_solver(run, 60)
    return run


def write_solver(run, max_iter, base_lr=0.05):
    text = (run.parent / "solver.prototxt").read_text()
    text = re.sub(r'snapshot_prefix: "\S+"|max_iter: \d+', "", text)
    text = text.replace("net.prototxt", "run/train_test.prototxt")
    text = text.replace("base_lr: 0.05", f"base_lr: {base_lr}")
    (run / "solver.prototxt").write_text(f"{text} max_iter: {max_iter} {SCHEDULE}")


def test_a_training_leaves_its_log_and_weights_and_no_snapshots(folder):
    assert cli.main(["train-folder", "run"]) == 0
    left = {path.name for path in folder.iterdir()} - {".lock"}
    assert left == {"train_test.prototxt", "solver.prototxt", "train.log", "weights.caffemodel"}
    assert read_log(folder / "train.log")["Train", "total loss"][-1][0] == 60


def test_killed_at_any_moment_it_ends_with_the_same_bytes_and_log(folder):
    train_folder("run")
    straight = (folder / "weights.caffemodel").read_bytes()
    curve = read_log(folder / "train.log")
    (folder / "weights.caffemodel").unlink()
    for iteration in (8, 24, 42):
        kill_at(folder, iteration)
    train_folder("run")
    assert (folder / "weights.caffemodel").read_bytes() == straight
    assert read_log(folder / "train.log") == curve


def kill_at(run, iteration, *more):
    """Train the folder `run`, which kills itself when it has logged `iteration`."""
    death = functools.partial(processes.die_after_line, f"Iteration {iteration} (")
    died = processes.start(["train-folder", run.name, *more], run.parent, death)
    assert processes.finish(died) == -signal.SIGKILL
    assert not (run / "weights.caffemodel").exists()


def test_snapshots_of_another_solver_are_forgotten(folder):
    write_solver(folder, 60, base_lr=0.01)
    train_folder("run")
    wanted = (folder / "weights.caffemodel").read_bytes()
    write_solver(folder, 60)
    start_again(folder, 30)
    assert list((folder / "snapshots").glob("*.solverstate"))
    write_solver(folder, 60, base_lr=0.01)
    train_folder("run")
    assert (folder / "weights.caffemodel").read_bytes() == wanted


def test_snapshots_of_another_precision_are_forgotten(folder):
    train_folder("run", options=EngineOptions(precision="bf16"))
    other = (folder / "weights.caffemodel").read_bytes()
    train_folder("run")
    wanted = (folder / "weights.caffemodel").read_bytes()
    assert other != wanted
    (folder / "train.log").unlink()
    (folder / "weights.caffemodel").unlink()
    kill_at(folder, 30, "--precision", "bf16")
    train_folder("run")
    assert (folder / "weights.caffemodel").read_bytes() == wanted


def test_real_caffe_has_no_precision(folder):
    with pytest.raises(UsageError, match="^--precision bf16: wanted --engine torch, found caffe$"):
        train_folder("run", "caffe", options=EngineOptions(precision="bf16"))


def start_again(folder, iteration):
    """Forget the training, and train until `iteration`."""
    (folder / "train.log").unlink()
    (folder / "weights.caffemodel").unlink()
    kill_at(folder, iteration)


def test_a_truncated_snapshot_is_passed_over(folder):
    train_folder("run")
    straight = (folder / "weights.caffemodel").read_bytes()
    start_again(folder, 30)
    newest = max((folder / "snapshots").glob("*.solverstate"), key=os.path.getmtime)
    newest.write_bytes(newest.read_bytes()[:100])
    train_folder("run")
    assert (folder / "weights.caffemodel").read_bytes() == straight


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("snapshots/net", "net", "snapshot_prefix: found 'run/net', wanted one in run/snapshots"),
        ('snapshot_prefix: "run/snapshots/net"', "", "snapshot_prefix: found 'run/solver', wanted"),
        ("max_iter", "snapshot_format: HDF5 max_iter", "snapshot_format: found HDF5, wanted BINA"),
        ("snapshot: 5", "snapshot: 7 snapshot_after_train: false", "snapshot_after_train: found"),
    ],
)
def test_solvers_whose_last_weights_would_not_be_found(old, new, message, folder):
    solver = folder / "solver.prototxt"
    assert old in solver.read_text()
    solver.write_text(solver.read_text().replace(old, new))
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError, match=f"^{solver.relative_to(folder.parent)}: {message}"):
        train_folder("run")
    assert sorted(folder.rglob("*")) == before


def test_two_processes_do_not_train_in_one_folder(folder, monkeypatch):
    monkeypatch.setattr(training, "_PATIENCE", 0.3)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(GcnetError, match="run: another process trains here"):
            train_folder("run")
    train_folder("run")  # the lock is free again


def test_missing_weights_are_named(folder):
    with pytest.raises(UsageError, match="none.caffemodel: No such file"):
        train_folder("run", weights=["none.caffemodel"])


def test_each_gpu_takes_as_many_trainings_as_it_has_slots(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    running, most, lock = [], [], threading.Lock()
    all_slots = threading.Event()

    def train():
        with training._gpu((0, 0, 1)) as gpu:
            with lock:
                running.append(gpu)
                most.append(sorted(running))
                if len(running) == 3:
                    all_slots.set()
            all_slots.wait(processes.PATIENCE)
            with lock:
                running.remove(gpu)

    threads = [threading.Thread(target=train) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 5 and [0, 0, 1] in most
    assert all(set(found) <= {0, 1} and found.count(0) <= 2 for found in most)
    assert all(found.count(1) <= 1 for found in most)


@pytest.mark.caffe
def test_real_caffe_goes_on_from_its_last_snapshot(folder, caffe):
    write_solver(folder, 40)
    log = folder / "train.log"
    death = functools.partial(processes.die_after_caffes_line, "iter_10.solverstate")
    died = processes.start(["train-folder", "run", "--engine", "caffe"], folder.parent, death)
    assert processes.finish(died) == -signal.SIGKILL
    assert not (folder / "weights.caffemodel").exists()
    train_folder("run", "caffe")
    assert (folder / "weights.caffemodel").stat().st_size
    text = log.read_text()
    assert read_log(log)["Train", "total loss"][-1][0] == 40
    assert "Optimization Done." in text
