"""Several ranks train as one solver does on all of their records."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import gcnet_caffe
from gcnet_caffe.engine.weights import read_caffemodel
from tests.engine.runs import distance
from tests.engine.small import write_small


def weights(folder):
    return {name: blobs for name, blobs, _ in read_caffemodel(folder / "small_iter_6.caffemodel")}


def run(folder, *words, launcher=("-m", "gcnet_caffe.cli", "train")):
    command = [sys.executable, *launcher, "-solver", "solver.prototxt", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")


@pytest.mark.parametrize("how", ["ranks", "torchrun"])
def test_two_ranks_with_half_the_batch_are_one_with_all_of_it(tmp_path, how, monkeypatch, capfd):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, batch in zip(folders, (8, 4)):
        folder.mkdir()
        write_small(folder, batch)
    assert run(folders[0]).returncode == 0
    if how == "ranks":
        monkeypatch.chdir(folders[1])
        made = gcnet_caffe.train("solver.prototxt", ranks=2)
        assert made.model == "small_iter_6.caffemodel"  # as rank 0 returns it
        said = capfd.readouterr().err
    else:
        done = run(folders[1], launcher=(*TORCHRUN, "-m", "gcnet_caffe.cli", "train"))
        assert done.returncode == 0, done.stderr
        said = done.stderr
    assert said.count("Solving small") == 1  # rank 0 alone logs
    one, two = weights(folders[0]), weights(folders[1])
    for name, blobs in one.items():
        for index, blob in blobs.items():
            assert distance(two[name][index], blob) <= 1e-5, (name, index)


def test_a_rank_that_dies_ends_the_job_with_one_line(tmp_path):
    write_small(tmp_path, more="max_iter: 1000000 display: 1")
    text = (tmp_path / "solver.prototxt").read_text()
    (tmp_path / "solver.prototxt").write_text(re.sub("max_iter: 6 display: 2", "", text))
    command = [sys.executable, "-m", "gcnet_caffe.cli", "train", "-solver", "solver.prototxt"]
    process = subprocess.Popen(
        [*command, "--ranks", "2"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if "Iteration 5 " in line:
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    pids = [int(pid) for pid in children.split()]
    ranks = [pid for pid in pids if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(ranks[1], signal.SIGKILL)
    rest = process.communicate()[1]
    assert process.returncode == 1
    errors = [line for line in rest.splitlines() if "error: " in line]
    assert len(errors) == 1 and re.search(r"rank \d died \(signal SIGKILL\)", errors[0])
    assert "Traceback" not in rest


def test_an_error_of_every_rank_is_one_line(tmp_path):
    write_small(tmp_path)
    (tmp_path / "net.prototxt").write_text("layer { name: 'a' type: 'Nosuch' }")
    done = run(tmp_path, "--ranks", "2")
    *log, error = done.stderr.splitlines()
    assert done.returncode == 1 and "error: net.prototxt: layer 'a': unknown type" in error
    assert all(line.startswith("I") for line in log)


def test_a_resume_of_two_ranks_is_exact(tmp_path):
    write_small(tmp_path, more="snapshot: 3", transform="mirror: true crop_size: 20")
    assert run(tmp_path, "--ranks", "2").returncode == 0
    straight = (tmp_path / "small_iter_6.caffemodel").read_bytes()
    state = "small_iter_3.solverstate"
    assert run(tmp_path, "--ranks", "2", "-snapshot", state).returncode == 0
    assert (tmp_path / "small_iter_6.caffemodel").read_bytes() == straight
