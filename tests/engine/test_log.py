"""Lines as Caffe 1.0 writes them."""

import io
import os
import pty
import re
import stat

import pytest

from gcnet_caffe.engine.log import Log, LogFlags
from gcnet_caffe.engine.smoothing import SmoothedLoss


def test_a_line_has_the_header_of_glog():
    stream = io.StringIO()
    Log(stream)("Solving net")
    header = r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ test_log\.py:\d+\] Solving net\n"
    assert re.fullmatch(header, stream.getvalue())


def test_the_log_of_another_rank_is_silent():
    stream = io.StringIO()
    log = Log(stream, silent=True)
    log("x")
    log.warning("y")
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    "level, files", [(0, ["INFO", "WARNING"]), (1, ["INFO", "WARNING"]), (2, [])]
)
def test_a_file_takes_the_lines_of_its_level_and_above(level, files, tmp_path):
    stream = io.StringIO()
    flags = LogFlags(minloglevel=level, log_dir=str(tmp_path), logfile_mode=0o600)
    log = Log(stream, flags=flags)
    log("x")
    log.of("second").warning("y")
    texts = {p.name: p.read_text().splitlines()[3:] for p in tmp_path.glob("gcnet.[A-Z]*[A-Z]")}
    assert sorted(texts) == [f"gcnet.{name}" for name in files]
    lines = stream.getvalue().splitlines()
    assert "".join(line[0] for line in lines) == ["IW", "W", ""][level]
    assert texts.get("gcnet.INFO", []) == lines
    assert texts.get("gcnet.WARNING", []) == [line for line in lines if line[0] == "W"]
    for path in tmp_path.glob("*.log.*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_warnings_are_coloured_on_a_terminal_only(monkeypatch, capsys):
    log = Log(flags=LogFlags(colorlogtostderr=True, log_prefix=False))
    log.warning("y")
    assert capsys.readouterr().err == "y\n"
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        log("x")
        log.warning("y")
        found = b""
        while found.count(b"\n") < 2:
            found += os.read(ours, 100)
    assert found == b"x\r\n\x1b[0;33my\x1b[m\r\n"
    os.close(ours)


def test_the_smoothed_loss_is_a_mean_over_the_window():
    smoothed = SmoothedLoss(3)
    smoothed.start(10)
    seen = []
    for iteration, loss in enumerate([3.0, 5.0, 7.0, 9.0, 2.0], start=10):
        smoothed.add(loss, iteration)
        seen.append(float(smoothed.value))
    assert seen == [3.0, 4.0, 5.0, 7.0, 6.0]


def test_a_resumed_smoothed_loss_goes_on_bit_for_bit():
    straight, stopped = SmoothedLoss(3), SmoothedLoss(3)
    losses = [0.1, 0.7, 0.3, 0.9, 0.123]
    for iteration, loss in enumerate(losses[:4]):
        straight.add(loss, iteration)
        stopped.add(loss, iteration)
    resumed = SmoothedLoss(3)
    resumed.state = stopped.state
    resumed.start(4)
    for one in (straight, resumed):
        one.add(losses[4], 4)
    assert resumed.value == straight.value
