"""`gcnet run --dry-run`: what is left when it is killed while it probes."""

import os
import signal
import subprocess
import sys
import time

import pytest

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
            if process.poll() is not None or processes.found(folders[number], "*/*/data/test_lmdb"):
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
