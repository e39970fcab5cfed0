"""Fixtures that every folder of tests shares."""

import os

import hypothesis
import pytest

from gcnet_caffe.engine.options import KERNELS
from tests import checked_solvers, real_caffe

# The same examples each time, however busy the machine is; the slow jobs draw other ones.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("same")

os.environ["OPENBLAS_CORETYPE"] = KERNELS  # as real Caffe has; scipy reads it when it is imported


@pytest.fixture(scope="session")
def caffe():
    """Real Caffe (tests/real_caffe.py); without it a skip, and in CI a failure."""
    reason = real_caffe.missing()
    if reason:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return real_caffe


@pytest.fixture(autouse=True)
def _solvers_are_checked(monkeypatch):
    """See tests/checked_solvers.py."""
    checked_solvers.watch(monkeypatch)
