"""Well-known nets in Caffe's order: their runs are real Caffe's bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.engine import rules, runs
from tests.engine.classic_nets import RULES, write_net

ITERATIONS, OF_STATES = 2, 8  # the second: of a net that keeps states between iterations
SMALL = ("cifar_full", "cifar_quick", "autoencoder", "siamese")
LARGE = ("alexnet", "googlenet")


@pytest.fixture(scope="module")
def solvers(tmp_path_factory):
    """A folder, and the solver files in it by name; AlexNet and GoogLeNet are narrow."""
    folder = tmp_path_factory.mktemp("nets")
    found = {f"lenet {rule}": write_net(folder, "lenet", 6, rule=rule) for rule in RULES}
    found.update((name, write_net(folder, name, 6)) for name in SMALL)
    found.update((name, write_net(folder, name, 2, width=1 / 16)) for name in LARGE)
    found["lrcn"] = write_net(folder, "lrcn")
    return folder, found


@pytest.fixture(scope="module")
def theirs(caffe, solvers):
    """Real Caffe's blobs after each iteration, by solver file."""
    folder, found = solvers
    of_lrcn = rules.by_caffe(caffe, folder, [found["lrcn"]], OF_STATES)
    others = (path for name, path in found.items() if name != "lrcn")
    return {**rules.by_caffe(caffe, folder, others, ITERATIONS), **of_lrcn}


@pytest.mark.caffe
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", [*(f"lenet {rule}" for rule in RULES), *SMALL, *LARGE, "lrcn"])
def test_every_blob_is_caffes(name, threads, solvers, theirs, monkeypatch):
    folder, found = solvers
    monkeypatch.chdir(folder)
    with runs.threads(threads):
        solver = runs.make_solver(found[name], options=runs.ORDERS["Caffe's order"])
        for iteration, wanted in enumerate(theirs[found[name]]):
            if iteration:
                solver.step(1)
            ours = runs.blobs_in(solver.net)
            assert ours.keys() == wanted.keys()
            for key, values in wanted.items():
                assert np.array_equal(ours[key], values), (iteration, key)


@pytest.mark.caffe
@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_at_full_width(name, caffe, tmp_path, monkeypatch):
    path = write_net(tmp_path, name, 2)
    wanted = rules.by_caffe(caffe, tmp_path, [path], 1)[path][-1]
    monkeypatch.chdir(tmp_path)
    solver = runs.make_solver(path, options=runs.ORDERS["Caffe's order"])
    solver.step(1)
    ours = runs.blobs_in(solver.net)
    assert [key for key, values in wanted.items() if not np.array_equal(ours[key], values)] == []
