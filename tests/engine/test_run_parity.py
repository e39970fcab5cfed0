"""Whole solvers in both engines: from the same weights, and left to themselves.

Left to themselves two float32 runs part, real Caffe's from its own with another number of
threads or with start weights that are one float32 step off. So (a) from real Caffe's weights and history before each iteration one step of the
engine gives Caffe's loss and Caffe's updates, and (b) the free run stays as near to Caffe's as
Caffe stays to itself, within a factor of 3.

A near tie in max pooling or at a ReLU that falls the other way changes a blob's update by up to a
few percent; it does between Caffe with one and with two threads, which is the calibration of (a).
"""

import numpy as np
import pytest

from tests.engine import runs
from tests.scratch import make_tree

pytestmark = pytest.mark.caffe

ITERATIONS = 50


@pytest.fixture(scope="module")
def tree(caffe, tmp_path_factory):
    return make_tree(tmp_path_factory.mktemp("runs"), batch_size=4)


@pytest.mark.parametrize("what", runs.VARIANTS + runs.PRETRAININGS)
def test_run(what, tree, caffe):
    found = runs.measure(caffe, tree, what, ITERATIONS)
    engine, itself = found["forced"]["engine"], found["forced"]["caffe"]
    assert np.median(engine["loss"]) <= 1e-6
    assert max(engine["loss"]) <= max(1e-5, 3 * max(itself["loss"]))
    assert max(engine["all"]) <= 1e-3
    assert np.median(engine["worst"]) <= 1e-3
    assert max(engine["worst"]) <= max(1e-3, 3 * max(itself["worst"]))
    free = found["free"]
    for series in ("loss", "weights"):
        itself = max(np.max(free[name][series]) for name in ("two threads", "one ulp"))
        assert np.max(free["engine"][series]) <= 3 * itself
