"""Caffe's log format, as real Caffe printed it, and as its forks, Windows and PowerShell do."""

import math
import sys

import numpy as np
import pytest
from matplotlib import pyplot

from gcnet_caffe import cli
from gcnet_caffe.errors import GcnetError
from gcnet_caffe.formats import log_drawing
from gcnet_caffe.formats.log import (
    before_test_line,
    display_line,
    display_times,
    fatal_message,
    loss_line,
    number,
    output_lines,
    parse_number,
    parse_progress,
    read_log,
    text_before,
)
from gcnet_caffe.formats.log_drawing import draw_log

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


@pytest.fixture
def read(tmp_path):
    """A function: the series of a log of these texts, each under glog's prefix."""

    def read(*texts, end="\n"):
        lines = [f"I0615 10:00:00.123456  1234 solver.cpp:237] {text}" for text in texts]
        (tmp_path / "log").write_text("\n".join(lines) + end)
        return read_log(tmp_path / "log")

    return read


def outputs_of(iteration, net, *outputs):
    return [
        f"Iteration {iteration}, Testing net (#{net})",
        *(f"    Test net output #{i}: {output}" for i, output in enumerate(outputs)),
    ]


def test_numbers_have_the_six_digits_of_a_cpp_stream():
    numbers = (0.1, 1e-5, 123456.7, 1e20, 3.0, float("nan"))
    assert [number(value) for value in numbers] == ["0.1", "1e-05", "123457", "1e+20", "3", "nan"]


def test_outputs_are_numbered_through_and_losses_show_their_weight():
    lines = output_lines("Train net", {"a": [0.5, 2], "l": [3.0]}, {"l": 0.25})
    assert lines == [
        "    Train net output #0: a = 0.5",
        "    Train net output #1: a = 2",
        "    Train net output #2: l = 3 (* 0.25 = 0.75 loss)",
    ]


def test_what_is_written_is_read(read):
    lines = [
        before_test_line(0, 0),
        *output_lines("Test net", {"accuracy": [0.25], "per_class": [0.5, 0.125]}, {}),
        display_line(0, 2.0, 21.9, 4.5, 100),
        *output_lines("Train net", {"loss": [2.0]}, {"loss": 1.0}),
        before_test_line(1, 1),
        *output_lines("Test net", {"accuracy": [0.75]}, {}),
        loss_line(1, 1.5),
    ]
    assert read(*lines) == {
        ("Test", "accuracy"): [(0, 0.25)],
        ("Test", "per_class[0]"): [(0, 0.5)],
        ("Test", "per_class[1]"): [(0, 0.125)],
        ("Train", "total loss"): [(0, 2.0), (1, 1.5)],
        ("Train", "loss"): [(0, 2.0)],
        ("Test net #1", "accuracy"): [(1, 0.75)],
    }


def test_a_log_cut_before_an_iteration():
    lines = LOG.splitlines(keepends=True)
    assert text_before(LOG, 100) == "".join(lines[:6])
    assert text_before(LOG, 0) == ""
    assert text_before(LOG[:-1], 101) == "".join(lines[:7])
    assert text_before("a\nI1 1 a.cpp:1] discriminator: Iteration 7, lr = 1\n", 7) == "a\n"


def test_times_of_the_displayed_iterations():
    assert display_times(LOG) == ["02:14:05.200000", "02:14:10.036445"]


def test_what_a_fatal_line_says():
    assert fatal_message("F1124 02:14:05.000000 7 net.cpp:1] Check failed: a] b") == (
        "Check failed: a] b"
    )
    assert fatal_message(LOG.splitlines()[0]) is None


def test_series_of_both_phases(tmp_path):
    (tmp_path / "log").write_text(LOG)
    series = read_log(tmp_path / "log")
    assert series["Test", "accuracy"] == [(0, 0.25)]
    assert series["Test", "loss"] == [(0, 1.9)]
    assert series["Train", "loss"] == series["Train", "total loss"] == [(0, 2.0), (100, 5e-4)]


def test_each_test_net_is_a_series(read):
    lines = [outputs_of(i, net, f"acc = {i + net / 10}") for i in (0, 5) for net in (0, 1, 2)]
    assert read(*sum(lines, [])) == {
        ("Test", "acc"): [(0, 0.0), (5, 5.0)],
        ("Test net #1", "acc"): [(0, 0.1), (5, 5.1)],
        ("Test net #2", "acc"): [(0, 0.2), (5, 5.2)],
    }


def test_each_value_of_an_output_is_a_series(read):
    outputs = ("right = 0.5", "by class = 0.9", "by class = 0.1")
    again = ("right = 0.6", "by class = 0.95", "by class = 0.2")
    assert read(*outputs_of(0, 0, *outputs), *outputs_of(5, 0, *again)) == {
        ("Test", "right"): [(0, 0.5), (5, 0.6)],
        ("Test", "by class[0]"): [(0, 0.9), (5, 0.95)],
        ("Test", "by class[1]"): [(0, 0.1), (5, 0.2)],
    }


@pytest.mark.parametrize(
    "text",
    ["nan", "-nan", "NaN", "-nan(ind)", "nan(snan)", "1.#QNAN", "-1.#IND", "1.#SNAN", "1.#J"],
)
def test_no_number_in_any_spelling(text):
    assert math.isnan(parse_number(text))


def test_infinities_and_numbers_and_neither():
    assert [parse_number(t) for t in ("inf", "1.#INF", "1.#INF00")] == [math.inf] * 3
    assert [parse_number(t) for t in ("-inf", "-1.#INF")] == [-math.inf] * 2
    assert [parse_number(t) for t in ("87.3365", "5e-4", "-1e+06")] == [87.3365, 5e-4, -1e6]
    assert [parse_number(t) for t in ("5.1e-", "0.5I0615", "(*", "nano")] == [None] * 4


def test_a_log_still_being_written_ends_with_its_last_whole_line(read):
    written = ("Iteration 0, loss = 2.5", "Iteration 20, loss = 5.1")
    assert read(*written)["Train", "total loss"] == [(0, 2.5), (20, 5.1)]
    for cut in range(1, len(written[1]) + 50):
        shorter = "\n".join([written[0], "x" * 50 + written[1]])[:-cut]
        assert read(shorter, end="")["Train", "total loss"] == [(0, 2.5)], cut


def test_what_follows_a_resume_replaces_what_was_there(read):
    first = [f"Iteration {i}, loss = {i}" for i in (0, 10, 20, 30)]
    again = [f"Iteration {i} (9 iter/s, 1s/10 iters), loss = {i + 1}" for i in (20, 30, 40)]
    wanted = [(0, 0.0), (10, 10.0), (20, 21.0), (30, 31.0), (40, 41.0)]
    assert read(*first, *again)["Train", "total loss"] == wanted
    anew = read(*first, "Iteration 0, loss = 7", "Iteration 10, loss = 6")
    assert anew["Train", "total loss"] == [(0, 7.0), (10, 6.0)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_logs_of_windows(encoding, end, tmp_path):
    (tmp_path / "log").write_bytes((LOG + "cut").replace("\n", end).encode(encoding)[:-1])
    (tmp_path / "plain").write_text(LOG)
    assert read_log(tmp_path / "log") == read_log(tmp_path / "plain")


@pytest.mark.parametrize(
    "line, wanted",
    [
        ("I20260615 10:00:00.1 1 solver.cpp:9] Iteration 7, loss = 0.5", (7, "", 0.5, None)),
        ("Iteration 7, loss = 0.5", (7, "", 0.5, None)),  # GLOG_log_prefix=0
        (
            "I0615 10:00:00.1 1 solver.cpp:9] Iteration 7 (5 iter/s, 1s/5 iter), 2.1/6.4ep, "
            "loss = 0.5, remaining 1 hour",
            (7, "", 0.5, None),
        ),
        ("I0615 1 s.py:1] discriminator: Iteration 7, loss = 2", (7, "discriminator", 2.0, None)),
        ("I0615 1 s.cpp:1] Iteration 7, Testing net (#3)", (7, "", None, 3)),
        ("I0615 1 s.cpp:1] Iteration 7, Testing net", (7, "", None, 0)),
        ("I0615 1 s.cpp:1] Iteration 7, lr = 0.001", (7, "", None, None)),
        ("I0615 1 caffe.cpp:1] Iteration: 7 forward-backward time: 3 ms.", None),
    ],
)
def test_lines_of_other_caffes(line, wanted):
    assert parse_progress(line) == wanted


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """A function: {label: (x, y)} of the curves that `gcnet plot` draws of a log's text."""

    def drawn(text, out="loss.png"):
        (tmp_path / "log").write_text(text)
        found = {}

        def look(figure, out, dpi):
            for axis in figure.axes:
                found.update({line.get_label(): line for line in axis.lines})
            save(figure, out, dpi)

        save = log_drawing.save_figure
        monkeypatch.setattr(log_drawing, "save_figure", look)
        draw_log(tmp_path / "log", tmp_path / out)
        assert not pyplot.get_fignums()
        return found

    return drawn


def test_the_curves(drawn, tmp_path):
    nets = sum((outputs_of(i, net, f"acc = {net}") for i in (0, 9) for net in (0, 1)), [])
    curves = drawn("\n".join([LOG.rstrip(), *nets]) + "\n")
    assert set(curves) == {
        "accuracy (test)",
        "acc (test)",
        "acc (test net #1)",
        "loss (test)",
        "loss (train)",
        "total loss (train)",
    }
    assert list(curves["acc (test net #1)"].get_ydata()) == [1, 1]
    assert len({curves[f"acc ({net})"].get_linestyle() for net in ("test", "test net #1")}) == 2
    assert (tmp_path / "loss.png").read_bytes()[:4] == b"\x89PNG"


def test_a_gap_where_the_loss_is_no_number(drawn):
    text = "".join(
        f"Iteration {10 * i}, loss = {value}\n"
        for i, value in enumerate(["2.5", "2", "1.#QNAN", "1.5", "-nan", "inf", "1", "0.5", "nan"])
    )
    line = drawn(text)["total loss (train)"]
    assert list(line.get_xdata()) == [0, 10, 20, 30, 40, 50, 60, 70, 80]
    values = np.asarray(line.get_ydata())
    assert list(np.isnan(values)) == [0, 0, 1, 0, 1, 1, 0, 0, 1]
    assert line.axes.get_xlim()[1] >= 80
    assert line.get_markevery() == [3], "a point alone has a mark: no line goes to it"


def test_a_log_of_no_numbers_and_one_of_negative_losses_are_drawn(drawn):
    """What a logarithmic axis cannot show (warnings are errors in these tests)."""
    assert drawn("Iteration 0, loss = nan\nIteration 9, loss = nan\n")
    assert drawn("Iteration 0, loss = -2\nIteration 9, loss = 3\n")["total loss (train)"]
    assert drawn("Iteration 0, loss = 0\nIteration 9, loss = 0\n")


def test_many_values_of_one_output_share_an_entry(drawn):
    lines = outputs_of(0, 0, *(f"prob = {i}" for i in range(300)), "acc = 1")
    shown = [label for label in drawn("\n".join(lines) + "\n") if not label.startswith("_")]
    assert shown == ["acc (test)", "prob[0] to prob[299] (test)"]


@pytest.mark.parametrize(
    "text, out, status, words",
    [
        ("", "a.png", 1, "log: has no line of a Caffe training log"),
        ("nothing here\n", "a.png", 1, "log: has no line of a Caffe training log"),
        ("Iteration 0, loss = 5.", "a.png", 1, "log: has no line of a Caffe training log"),
        (LOG, "a.doc", 2, "a.doc: wanted a name that ends in .png, .jpg, .pdf or .svg"),
        (LOG, "picture", 2, "picture: wanted a name that ends in .png, .jpg, .pdf or .svg"),
    ],
)
def test_what_cannot_be_drawn(text, out, status, words, tmp_path, capsys):
    (tmp_path / "log").write_text(text)
    assert cli.main(["plot", str(tmp_path / "log"), "-o", str(tmp_path / out)]) == status
    assert words in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"log"}


def test_without_matplotlib_there_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "log").write_text(LOG)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["plot", str(tmp_path / "log"), "-o", str(tmp_path / "a.png")]) == 2
    wanted = "gcnet plot: error: drawing needs matplotlib: pip install 'gcnet-caffe[plot]'\n"
    assert capsys.readouterr().err == wanted


def test_a_folder_is_no_log(tmp_path):
    with pytest.raises((GcnetError, OSError)):
        read_log(tmp_path)
