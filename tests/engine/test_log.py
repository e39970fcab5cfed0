"""Lines as Caffe 1.0 writes them."""

import io
import re

from gcnet_caffe.engine.log import Log, number, output_lines
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
