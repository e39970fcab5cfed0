"""Whole solvers in both engines: from the same weights, and left to themselves.

Left to themselves two float32 runs part, real Caffe's from its own with another number of
threads too. So (a) from real Caffe's weights and history before each iteration one step of the
engine gives Caffe's loss and Caffe's updates, and (b) the free run stays as near to Caffe's as
Caffe with two threads does, within a factor of 3.
"""

import numpy as np
import pytest

from tests.engine import runs
from tests.scratch import make_tree

pytestmark = pytest.mark.caffe

ITERATIONS = 50
#: What is trained: the solver, and the net if it is not the solver's own.
VARIANTS = ("cnn", "metric", "S0R0", "S1R0", "S0R1", "S1R1")
PRETRAININGS = ("pretrain_autoencoder", "pretrain_identity")


@pytest.fixture(scope="module")
def tree(caffe, tmp_path_factory):
    from gcnet_caffe import nets

    folder = make_tree(tmp_path_factory.mktemp("runs"), batch_size=4)
    (folder / "net_names.txt").write_text(
        "\n".join(nets.catalog.train_net_name(variant, 0, "ck") for variant in VARIANTS)
    )
    return folder


def solver_of(tree, what):
    if what in PRETRAININGS:
        return runs.write_solver(tree, what)
    from gcnet_caffe import nets

    net = f"prototxt/{nets.catalog.train_net_name(what, 0, 'ck')}"
    return runs.write_solver(tree, "ck_fold0", net=net, snapshot_prefix=f"snapshots/{what}")


@pytest.mark.parametrize("what", VARIANTS + PRETRAININGS)
def test_each_step_from_the_same_state(what, tree, caffe, monkeypatch):
    monkeypatch.chdir(tree)
    path = solver_of(tree, what)
    recorded = runs.record(caffe, tree, path, ITERATIONS, each=True)
    solver = runs.make_solver(path)
    prefix = solver.param.snapshot_prefix
    wanted_losses = runs.total_loss(recorded, solver.net.loss_weights)
    after = runs.blobs_of(f"{prefix}_iter_0.caffemodel")
    worst_loss, worst_update = 0.0, 0.0
    for iteration in range(ITERATIONS):
        before = after
        after = runs.blobs_of(f"{prefix}_iter_{iteration + 1}.caffemodel")
        solver.restore(f"{prefix}_iter_{iteration}.solverstate")
        loss = step_and_loss(solver)
        worst_loss = max(worst_loss, abs(loss / wanted_losses[iteration] - 1))
        for key, blob in runs.blobs_in(solver.net).items():
            update = runs.distance(blob - before[key], after[key] - before[key])
            assert update <= 1e-3, (iteration, key)
            worst_update = max(worst_update, update)
        for path_ in tree.glob(f"{prefix}_iter_{iteration}.*"):
            path_.unlink()
    assert worst_loss <= 1e-5
    print(f"{what}: loss {worst_loss:.1e}, update {worst_update:.1e}")


def step_and_loss(solver):
    losses = []
    inner = solver.forward_backward

    def spying(debugged=False):
        loss, outputs = inner(debugged)
        losses.append(float(loss))
        return loss, outputs

    solver.forward_backward = spying
    solver.step(1)
    del solver.forward_backward
    return losses[0]
