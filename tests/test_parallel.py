import os
import signal
import subprocess
import sys
import time

import pytest

from gcnet_caffe.errors import GcnetError
from gcnet_caffe.parallel import ordered_map

# in this module so that worker processes find them


def nothing():
    pass


def slow_square(number):
    time.sleep(0.05 * (number % 3 == 0))
    return number * number


def die(number):
    os._exit(3)


def fail(number):
    raise GcnetError(f"number {number}")


@pytest.mark.parametrize("workers", [1, 2])
def test_order_is_kept(workers):
    squares = ordered_map(slow_square, range(20), workers, nothing)
    assert list(squares) == [n * n for n in range(20)]


def test_tasks_are_not_drawn_far_ahead_of_the_results():
    drawn = []

    def tasks():
        for number in range(100):
            drawn.append(number)
            yield number

    results = ordered_map(slow_square, tasks(), 2, nothing)
    next(results)
    assert len(drawn) <= 10
    results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_come_through(workers):
    with pytest.raises(GcnetError, match="number 0"):
        list(ordered_map(fail, range(3), workers, nothing))


def test_a_dead_worker_is_an_error_not_a_hang():
    with pytest.raises(GcnetError, match="a worker process died"):
        list(ordered_map(die, range(3), 2, nothing))


_PROGRAM = """
import signal
from gcnet_caffe.parallel import ordered_map
from tests.test_parallel import nothing, slow_square
if __name__ == "__main__":
    results = ordered_map(slow_square, iter(int, 1), 2, nothing)
    next(results)
    print("working", flush=True)
    signal.pause()
"""


def test_workers_end_with_their_parent(tmp_path):
    (tmp_path / "program.py").write_text(_PROGRAM)
    command = [sys.executable, tmp_path / "program.py"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
    assert parent.stdout.readline() == b"working\n"
    parent.send_signal(signal.SIGKILL)
    # the pipe closes when the last process that inherited it has gone
    assert parent.communicate()[0] == b""
