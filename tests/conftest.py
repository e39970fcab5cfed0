"""Fixtures that every folder of tests shares."""

from __future__ import annotations

import gc
import os
import signal

import hypothesis
import pytest

from gcnet_caffe.engine.options import KERNELS
from tests import caffe_image, checked_solvers

#: Fixtures that several folders use.
pytest_plugins = ["tests.evaluation.fixtures", "tests.recognition.fixtures"]

# The same examples each time, however busy the machine is; the slow jobs draw other ones.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("same")

os.environ["OPENBLAS_CORETYPE"] = KERNELS  # as real Caffe has; scipy reads it when it is imported

# Where the tests run in the background (nohup, or a shell's &) these are ignored, and the programs
# under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

#: The longest files come first, so that two processes end at the same time.
LONGEST = (
    "tests/experiment/test_run.py",
    "tests/engine/test_run_parity.py",
    "tests/experiment/test_generators.py",
    "tests/experiment/test_demo.py",
    "tests/engine/test_caffes_order.py",
    "tests/web/test_page.py",
    "tests/engine/test_distributed.py",
    "tests/engine/test_interop.py",
    "tests/test_gpu_script.py",
    "tests/onnx/test_export.py",
    "tests/experiment/test_run_options.py",
    "tests/experiment/test_start.py",
    "tests/recognition/test_agreement.py",
    "tests/web/test_live.py",
    "tests/evaluation/test_evaluation.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the longest files first."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.split("::")[0], len(LONGEST)))


def pytest_collection_finish() -> None:
    """Leave what is imported, and the tests, out of garbage collections: they stay to the end."""
    gc.freeze()


@pytest.fixture(scope="session")
def caffe():
    """Real Caffe (tests/caffe_image.py); without it a skip, and in CI a failure."""
    reason = caffe_image.missing()
    if reason:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return caffe_image


@pytest.fixture(autouse=True)
def _solvers_are_checked(monkeypatch):
    """See tests/checked_solvers.py."""
    checked_solvers.watch(monkeypatch)
