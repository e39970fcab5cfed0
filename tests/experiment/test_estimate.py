"""`gcnet run --dry-run`: which nets it probes, and what is left when it is killed meanwhile."""

import os
import signal
import subprocess
import sys
import time

import pytest

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.experiment.config import read_experiment
from gcnet_caffe.experiment.estimate import estimate, kind_of
from gcnet_caffe.experiment.plan import make_plan
from gcnet_caffe.experiment.snakemake import Machine
from tests import processes
from tests.experiment.small_run import write_experiment

WORDS = [sys.executable, "-m", "gcnet_caffe.cli", "run"]


def start(folder):
    """Start `gcnet run --dry-run` in folder/user, its temporary files in folder/scratch."""
    for name in ("user", "scratch"):
        (folder / name).mkdir()
    experiment = write_experiment(folder / "user", variants=["cnn"], pretrain=None, sequences=None)
    return subprocess.Popen(
        [*WORDS, experiment.name, "-o", "run", "--dry-run", "--cores", "1"],
        cwd=folder / "user",
        env={**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder / "scratch")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """{signal: (exit status, the user's files, those in TMPDIR)}, killed while it probes."""
    folders = {n: tmp_path_factory.mktemp(n.name) for n in (signal.SIGTERM, signal.SIGKILL)}
    waiting = {number: start(folder) for number, folder in folders.items()}
    found = {}
    while waiting:
        for number, process in list(waiting.items()):
            if process.poll() is not None or processes.found(
                folders[number], "*/*/data-0/test_lmdb"
            ):
                process.send_signal(number)
                process.communicate()
                del waiting[number]
                places = (folders[number] / "user", folders[number] / "scratch")
                left = [sorted(path.name for path in place.iterdir()) for place in places]
                found[number] = (process.returncode, *left)
        time.sleep(0.01)
    return found


@pytest.mark.parametrize("number, status", [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_killed_probe_leaves_nothing_among_the_user_s_files(killed, number, status):
    found, user, _ = killed[number]
    assert (found, user) == (status, ["small.yaml"])


def test_a_probe_that_is_asked_to_end_leaves_nothing_anywhere(killed):
    assert killed[signal.SIGTERM][2] == []


def kinds(folder, **changes):
    """How many nets are probed, of how many that are trained."""
    path = write_experiment(folder, pretrain=None, sequences=None, **changes)
    jobs = make_plan(read_experiment(path))["training"].values()
    return len(set(map(kind_of, jobs))), len(jobs)


def test_a_net_is_probed_once_for_all_folds_seeds_and_weights_of_its_losses(tmp_path):
    sweep = {"lambda_s": [0.1, 0.5, 1.0], "base_lr": [0.001, 0.01]}
    assert kinds(tmp_path, variants=["S1R1"], seeds=[1, 2], sweep=sweep) == (1, 24)


@pytest.mark.parametrize("sweep", [{"lambda_s": [0, 0.5]}, {"batch_size": [4, 8]}])
def test_what_changes_the_time_is_another_kind_of_net(sweep, tmp_path):
    assert kinds(tmp_path, variants=["S1R1"], sweep=sweep) == (2, 4)


def test_a_probe_that_fails_says_why():
    job = {"variant": "cnn", "net": "--batch-size 0", "solver": "", "engine": "torch"}
    with pytest.raises(GcnetError, match=r"a probe failed: .*--batch-size: found 0, wanted at lea"):
        estimate({"training": {"one": job}}, ["one"], Machine(1))
