"""Our programs for pycaffe, as they run in the image, on our engine: the numbers are the engine's.

That the engine's are real Caffe's is tested elsewhere: recognition, test_alternation_in_caffe.py.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gcnet_caffe import cli, pycaffe
from gcnet_caffe.engine import caffe_name
from gcnet_caffe.errors import GcnetError, NetError
from gcnet_caffe.formats import read_weights
from gcnet_caffe.inference.model import NET, SHIPPED, WEIGHTS
from gcnet_caffe.inference.network import open_network
from gcnet_caffe.real_caffe import import_caffe, two_players
from tests.engine.two_players import write_players
from tests.scratch import ROOT

PLAYERS = "generator", "discriminator"


def test_the_worker_as_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of two sizes, a blob between layers, and a batch that the net cannot take.

    The first `caffe` on PATH is in a folder whose `python3` imports our pycaffe as caffe.
    """
    ours = f'exec {sys.executable} -m gcnet_caffe.cli python "$@"'
    for name, text in (("caffe", "exit 1"), ("python3", ours)):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    outputs = ("enc1_pool1", "generated_reference", "delta", "prob")
    engine, worker = (
        open_network(engine, SHIPPED / NET, SHIPPED / WEIGHTS, outputs)
        for engine in ("torch", "caffe")
    )
    query = np.random.default_rng(0).random((5, 1, 64, 64), np.float32)
    for count in (3, 5, 2):
        wanted = engine.forward({"query": query[:count]})
        for name, array in worker.forward({"query": query[:count]}).items():
            np.testing.assert_array_equal(array, wanted[name])
    with pytest.raises(NetError, match="real Caffe stopped: .* layer 'enc1_conv1'.*") as error:
        worker.forward({"query": query[:2].reshape(1, 2, 64, 64)})
    assert "\n" not in str(error.value)


@pytest.fixture
def _caffe_is_ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "caffe", pycaffe)
    pycaffe.set_summation("caffe")
    yield
    pycaffe.set_summation("torch")


@pytest.mark.usefixtures("_caffe_is_ours")
def test_two_players(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained, and resumed: the weights and the history of `gcnet train`, bit for bit."""
    monkeypatch.chdir(tmp_path)
    solvers = write_players(tmp_path, "S1R1", max_iter=4, snapshot=3, random_seed=(-1, 5))
    words = ["-solver", solvers[0], "-discriminator_solver", solvers[1]]
    assert cli.main(["train", *words, "--summation", "caffe", "--log", "log"]) == 0
    shutil.copytree("snapshots", "wanted")
    two_players.main(words)
    check_last_snapshots()
    for path in Path("snapshots").glob("*_iter_4.*"):
        path.unlink()
    states = [f"snapshots/{name}_iter_3.solverstate" for name in PLAYERS]
    two_players.main([*words, "-snapshot", ",".join(states)])
    check_last_snapshots()
    states[1] = states[1].replace("iter_3", "iter_4")
    with pytest.raises(SystemExit, match="error: snapshots of different iterations: .* 3, .* 4;"):
        two_players.main([*words, "-snapshot", ",".join(states)])


def check_last_snapshots() -> None:
    for name in PLAYERS:
        state, model = (f"{name}_iter_4.{kind}" for kind in ("solverstate", "caffemodel"))
        assert Path("snapshots", state).read_bytes() == Path("wanted", state).read_bytes()
        found, wanted = (read_weights(f"{folder}/{model}") for folder in ("snapshots", "wanted"))
        blobs = {layer.name: layer.blobs for layer in found.layer}
        for layer in wanted.layer:
            assert blobs[layer.name] == layer.blobs, layer.name


def test_without_pycaffe_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    # a net with a Python layer, in another test, makes ours `caffe` for the whole process
    others = [finder for finder in sys.meta_path if type(finder).__module__ != caffe_name.__name__]
    monkeypatch.setattr(sys, "meta_path", others)
    for name in [name for name in sys.modules if name.split(".")[0] == "caffe"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(GcnetError, match="needs pycaffe, as docker/caffe has it"):
        import_caffe()
