"""Blobs in long vectors, as on a GPU, train as they do one by one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gcnet_caffe.engine import solver
from gcnet_caffe.engine.flat_updates import FlatUpdater
from gcnet_caffe.engine.solver import Solver
from tests.engine import rules, runs
from tests.scratch import make_tree

#: How far off they may be: a CPU rounds the last elements of a vector in another way.
NEAR = 1e-6


@pytest.fixture
def flat(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A context in which the CPU's solvers have the GPU's updater."""
    return lambda: monkeypatch.setattr(
        solver, "create_updater", lambda param, learnable, _: FlatUpdater(param, learnable)
    )


def apart(ours: Solver, theirs: Solver) -> float:
    """Return how far blobs and histories are from the others', at most."""
    far = [0.0]
    for mine, other in zip(ours.net.learnable, theirs.net.learnable):
        far.append(runs.distance(mine.param.detach(), other.param.detach()))
    assert len(ours.updater.history) == len(theirs.updater.history)
    for mine, other in zip(ours.updater.history, theirs.updater.history):
        assert mine.shape == other.shape
        far.append(runs.distance(mine, other))
    return max(far)


@pytest.mark.parametrize("name", rules.RULES)
def test_every_rule(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flat: Any) -> None:
    monkeypatch.chdir(tmp_path)
    rules.write_rules(tmp_path)
    theirs = runs.make_solver(rules.path_of(name))
    flat()
    ours = runs.make_solver(rules.path_of(name))
    assert isinstance(ours.updater, FlatUpdater)
    assert apart(ours, theirs) == 0
    for each in (ours, theirs):
        each.step(rules.ITERATIONS)
    assert apart(ours, theirs) <= NEAR
    start = runs.make_solver(rules.path_of(name))
    assert apart(start, theirs) > 1e3 * NEAR


def test_a_net_in_channels_last_resumes_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flat: Any
) -> None:
    """Its blobs keep their memory format, and snapshots are those of blobs one by one."""
    make_tree(tmp_path, batch_size=2)
    monkeypatch.chdir(tmp_path)
    path = runs.solver_of(tmp_path, "cnn", max_iter=4, snapshot=2, snapshot_diff=True)
    one_by_one = runs.make_solver(path)
    one_by_one.solve()
    shutil.move("snapshots", "theirs")
    Path("snapshots").mkdir()
    flat()
    straight = runs.make_solver(path)
    straight.solve()
    assert apart(straight, one_by_one) <= NEAR
    for mine, other in zip(straight.net.learnable, one_by_one.net.learnable):
        assert mine.param.stride() == other.param.stride()
        np.testing.assert_allclose(mine.param.grad, other.param.grad, rtol=1e-4, atol=1e-7)
    written = Path("snapshots/cnn_iter_4.caffemodel").read_bytes()
    resumed = runs.make_solver(path)
    resumed.restore("snapshots/cnn_iter_2.solverstate")
    resumed.solve()
    assert Path("snapshots/cnn_iter_4.caffemodel").read_bytes() == written
