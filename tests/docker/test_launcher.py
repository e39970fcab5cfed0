"""docker/caffe: the image's programs behave as if they were installed on this machine."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.caffe_image import LAUNCHER

pytestmark = pytest.mark.caffe

NET = """
layer { name: "data" type: "DummyData" top: "x" top: "y"
        dummy_data_param { shape { dim: 8 dim: 4 } shape { dim: 8 dim: 1 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
        inner_product_param { num_output: 1 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "fc" bottom: "y" top: "loss" }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" display: 1 max_iter: 100000000
snapshot_prefix: "snap"
"""


@pytest.fixture
def training(caffe, tmp_path):
    """A `caffe train` that would never end, in tmp_path, after its first iterations."""
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    log = tmp_path / "log"
    with open(log, "w") as stream:
        process = subprocess.Popen(
            [LAUNCHER, "train", "--solver=solver.prototxt"], cwd=tmp_path, stderr=stream
        )
    wait_for(lambda: "Iteration 2" in log.read_text(), process)
    yield process
    process.kill()
    process.wait()


def wait_for(condition, process):
    while not condition():
        assert process.poll() is None
        time.sleep(0.02)


def snapshots(folder):
    return sorted(path.suffix for path in folder.glob("snap_iter_*"))


def test_sigint_stops_training_with_a_snapshot(training, tmp_path):
    training.send_signal(signal.SIGINT)
    assert training.wait() == 0
    assert snapshots(tmp_path) == [".caffemodel", ".solverstate"]
    assert "Optimization stopped early" in (tmp_path / "log").read_text()


def test_sighup_writes_a_snapshot_and_training_goes_on(training, tmp_path):
    training.send_signal(signal.SIGHUP)
    wait_for(lambda: len(snapshots(tmp_path)) == 2, training)
    training.send_signal(signal.SIGTERM)
    assert training.wait() in (-signal.SIGTERM, 128 + signal.SIGTERM)


def test_training_does_not_start_on_data_that_its_net_cannot_read(caffe, tmp_path):
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "x" '
        'data_param { source: "none" backend: LMDB batch_size: 1 } }'
    )
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    result = caffe.run_caffe(["train", "-solver", "solver.prototxt"], tmp_path, check=False)
    assert result.returncode == 1
    assert "gcnet check: error: " in result.stderr and "none" in result.stderr
    assert "Initializing solver" not in result.stderr


def test_the_check_goes_by_the_level_and_the_stages_of_the_training(caffe, tmp_path):
    """The layers that cannot be read are left out of the net that trains, so Caffe trains."""
    data = (
        'layer {{ name: "{0}" type: "Data" top: "{0}" include {{ {1} }} '
        'data_param {{ source: "none" backend: LMDB batch_size: 1 }} }}'
    )
    rules = ("max_level: 2", 'not_stage: "with one" not_stage: "other"')
    layers = [data.format(f"data{place}", rule) for place, rule in enumerate(rules)]
    (tmp_path / "net.prototxt").write_text(NET + "\n".join(layers))
    (tmp_path / "solver.prototxt").write_text(SOLVER.replace("100000000", "2"))
    words = ["train", "-solver", "solver.prototxt"]
    assert caffe.run_caffe(words, tmp_path, check=False).returncode == 1
    more = ["-level", "3", "--stage=with one,other"]
    assert "Optimization Done" in caffe.run_caffe([*words, *more], tmp_path).stderr


def test_folder_status_and_streams_are_the_callers(caffe, tmp_path):
    folder = tmp_path / "with a blank"
    folder.mkdir()
    result = subprocess.run(
        [LAUNCHER, "sh", "-c", 'pwd; cat; echo "to stderr" >&2; exit 7'],
        cwd=folder,
        input="from stdin",
        capture_output=True,
        text=True,
    )
    assert result.returncode == 7
    assert (result.stdout, result.stderr) == (f"{folder}\nfrom stdin", "to stderr\n")


def test_only_the_named_environment_is_passed(caffe, tmp_path, monkeypatch):
    for name in ("GLOG_v", "OPENBLAS_VERBOSE", "LD_LIBRARY_PATH", "PYTHONHOME"):
        monkeypatch.setenv(name, "3")
    lines = caffe.run(["env"], tmp_path, threads=2).stdout.splitlines()
    assert {"GLOG_v=3", "OPENBLAS_VERBOSE=3", "OMP_NUM_THREADS=2"} <= set(lines)
    assert not re.search("LD_LIBRARY_PATH|PYTHONHOME", "\n".join(lines))


def test_other_folders_are_seen_when_named(caffe, tmp_path, monkeypatch):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    (tmp_path / "there/data").write_text("seen")
    command = ["cat", tmp_path / "there/data"]
    assert caffe.run(command, tmp_path / "here", check=False).returncode == 1
    monkeypatch.setenv("GCNET_MOUNT", str(tmp_path / "there"))
    assert caffe.run(command, tmp_path / "here").stdout == "seen"
    monkeypatch.setenv("GCNET_MOUNT", str(tmp_path / "nowhere"))
    assert "no folder" in caffe.run(command, tmp_path / "here", check=False).stderr


def test_the_image_itself_cannot_be_changed(caffe, tmp_path):
    result = caffe.run(["touch", "/usr/new"], tmp_path, check=False)
    assert result.returncode == 1 and re.search("Read-only|Permission denied", result.stderr)


def test_files_belong_to_the_caller(caffe, tmp_path):
    caffe.run(["touch", "mine"], tmp_path)
    assert (tmp_path / "mine").stat().st_uid == os.getuid()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run the launcher as somebody else")
def test_files_belong_to_a_caller_who_is_not_root(caffe):
    nobody = pwd.getpwnam("nobody")
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        if subprocess.run(["unshare", "--user", "test", "-x", LAUNCHER], **as_nobody).returncode:
            pytest.skip("others cannot read this checkout, or have no user namespaces")
        subprocess.run([LAUNCHER, "touch", "mine"], cwd=folder, check=True, **as_nobody)
        assert (folder / "mine").stat().st_uid == nobody.pw_uid
    finally:
        shutil.rmtree(folder)


def test_several_at_once(caffe, tmp_path):
    processes = [
        subprocess.Popen([LAUNCHER, "touch", str(name)], cwd=tmp_path) for name in range(8)
    ]
    assert [process.wait() for process in processes] == [0] * 8
    assert len(list(tmp_path.iterdir())) == 8


def test_without_an_image_one_line_says_what_to_do(tmp_path):
    shutil.copytree(LAUNCHER.parent, tmp_path / "docker")
    (tmp_path / "native").mkdir()  # another plug-in: another image
    result = subprocess.run(
        [tmp_path / "docker/caffe", "train"], cwd=tmp_path, capture_output=True, text=True
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"docker/caffe: error: the image is not built: run 'make image' in {tmp_path}\n"
    )


@pytest.mark.parametrize("folder", ["/", "/usr"])
def test_the_images_own_folders_are_refused(folder):
    result = subprocess.run([LAUNCHER, "true"], cwd=folder, capture_output=True, text=True)
    assert result.returncode == 1 and "work in another folder" in result.stderr
