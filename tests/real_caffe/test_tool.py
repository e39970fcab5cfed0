"""Real Caffe as a process: what is said where it is missing, or fails."""

import os

import pytest

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.real_caffe import tool
from tests.scratch import make_tree


def test_without_caffe_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "_LAUNCHER", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GcnetError, match="Caffe not found: put `caffe` on PATH"):
        tool.launcher()


def test_the_launcher_of_the_checkout_around_the_current_folder(tmp_path, monkeypatch):
    """As after `pip install .` in a checkout; the jobs of `gcnet run` run in its folder."""
    monkeypatch.setattr(tool, "_LAUNCHER", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    launcher, run = tmp_path / "checkout/docker/caffe", tmp_path / "checkout/runs/ck7"
    for path in (launcher.parent, run):
        path.mkdir(parents=True)
    launcher.touch()
    monkeypatch.chdir(run)
    assert tool.launcher() == [str(launcher)]
    if os.getuid() == 0:
        os.chown(launcher, 12345, -1)  # another user's
        with pytest.raises(GcnetError, match="run in a checkout after `make image`"):
            tool.launcher()


@pytest.mark.caffe
def test_caffes_last_words_are_ours(caffe, tmp_path, monkeypatch):
    """A net that Caffe refuses: its fatal line, the log's name, no traceback."""
    monkeypatch.chdir(make_tree(tmp_path / "tree"))
    net = tmp_path / "tree/prototxt/ck_fold0_cnn_train_test.prototxt"
    net.write_text(net.read_text().replace('type: "ReLU"', 'type: "ReLUU"'))
    with pytest.raises(GcnetError) as error:
        tool.train("solvers/ck_fold0_cnn.prototxt", "train.log")
    assert "Unknown layer type: ReLUU" in str(error.value) and "(log: train.log)" in str(
        error.value
    )
    assert "\n" not in str(error.value)
