"""Caffe 1.0's log format, as real Caffe printed it."""

import pytest

from gcnet_caffe.analysis.log import draw_log, read_log
from gcnet_caffe.errors import GcnetError

LOG = """\
I1124 02:14:05.000000  2572 solver.cpp:347] Iteration 0, Testing net (#0)
I1124 02:14:05.100000  2572 solver.cpp:414]     Test net output #0: accuracy = 0.25
I1124 02:14:05.100000  2572 solver.cpp:414]     Test net output #1: loss = 1.9 (* 1 = 1.9 loss)
I1124 02:14:05.200000  2572 solver.cpp:239] Iteration 0 (-1.4e-45 iter/s, 0.1s/100 iters), loss = 2
I1124 02:14:05.200000  2572 solver.cpp:258]     Train net output #0: loss = 2 (* 1 = 2 loss)
I1124 02:14:05.200000  2572 sgd_solver.cpp:112] Iteration 0, lr = 0.001
I1124 02:14:10.036445  2572 solver.cpp:239] Iteration 100 (21.9 iter/s, 4.5s/100 iters), loss = 5e-4
I1124 02:14:10.036516  2572 solver.cpp:258]     Train net output #0: loss = 5e-4 (* 1 = 5e-4 loss)
"""


def test_series_of_both_phases(tmp_path):
    (tmp_path / "log").write_text(LOG)
    series = read_log(tmp_path / "log")
    assert series["Test", "accuracy"] == [(0, 0.25)]
    assert series["Test", "loss"] == [(0, 1.9)]
    assert series["Train", "loss"] == series["Train", "total loss"] == [(0, 2.0), (100, 5e-4)]


def test_the_picture_and_what_is_not_a_log(tmp_path):
    (tmp_path / "log").write_text(LOG)
    draw_log(tmp_path / "log", tmp_path / "loss.png")
    assert (tmp_path / "loss.png").read_bytes()[:4] == b"\x89PNG"
    (tmp_path / "no").write_text("nothing here\n")
    with pytest.raises(GcnetError, match="no: holds no line"):
        read_log(tmp_path / "no")
