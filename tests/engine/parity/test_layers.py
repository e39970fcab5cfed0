"""Every layer of the engine against real Caffe, forward and backward, in each of its ways."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.caffe_order.compiled import use_one_thread
from gcnet_caffe.engine.fillers import _FILLERS
from gcnet_caffe.engine.layers import layer_types
from gcnet_caffe.formats.weights import has_weights
from tests.engine import runs
from tests.engine.forks.cases import FORKS
from tests.engine.parity import mutations, other_mutations
from tests.engine.parity.case import Case, Chain, Graph
from tests.engine.parity.cases import CASES
from tests.engine.parity.run import (
    WAYS,
    Arrays,
    by_caffe,
    by_engine,
    is_near,
    opened,
    source_by_engine,
    wrong,
)
from tests.engine.parity.sources import SOURCES, unequal
from tests.scratch import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the files of the sources are."""
    return tmp_path_factory.mktemp("cases")


@pytest.fixture(scope="module")
def theirs(caffe, folder: Path) -> tuple[list[Arrays], list[Arrays]]:
    """Real Caffe's results, from one process."""
    use_one_thread()
    return by_caffe(caffe, folder)


@pytest.mark.caffe
@pytest.mark.parametrize("index", range(len(CASES)), ids=[case.name for case in CASES])
def test_layer(index: int, theirs) -> None:
    case, results = CASES[index], theirs[0][index]
    found = {way: wrong(case, results, way) for way in WAYS}
    assert found == {way: {} for way in found}


def test_threads_change_no_number() -> None:
    """In Caffe's order; each loop is shared by three threads, however short it is."""
    use_one_thread()
    for case in CASES:
        alone = by_engine(case, "caffe")
        with runs.threads(3):
            together = by_engine(case, "caffe")
        assert all(np.array_equal(array, together[name], True) for name, array in alone.items())


#: Runs the cases in Caffe's order where there is no Numba, and writes what comes out.
WITHOUT_NUMBA = """
import sys
import numpy as np
sys.modules["numba"] = None
import torch
from gcnet_caffe.engine import caffe_order
from tests.engine.parity.run import CASES, by_engine
caffe_order.prepare(torch.device("cpu"), print)
found = {}
for index, case in enumerate(CASES):
    found.update((f"{index}.{name}", array) for name, array in by_engine(case, "caffe").items())
np.savez("found.npz", **found)
"""


def test_without_numba_the_numbers_are_the_same(tmp_path: Path) -> None:
    use_one_thread()
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NUMBA],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert "Numba is not there" in done.stdout
    with np.load(tmp_path / "found.npz") as found:
        for index, case in enumerate(CASES):
            for name, array in by_engine(case, "caffe").items():
                assert np.array_equal(array, found[f"{index}.{name}"], True), (case.name, name)


#: Layers that autocast computes in bfloat16, and how far that may be off the largest number: 0.7 %
#: in these cases. Half of the last of eight bits is 0.2 %, for each of a product's three numbers.
REDUCED = {"Convolution", "Deconvolution", "InnerProduct", "PReLU", "three readers"}
OF_BFLOAT16 = 0.012


@pytest.mark.caffe
def test_training_in_bfloat16(theirs) -> None:
    """All but the products is float32, and Caffe's as ever. After a product a ReLU may turn."""
    far = {}
    for case, results in zip(CASES, theirs[0]):
        kinds = set(case.type.split("+"))
        if kinds & REDUCED and "ReLU" in kinds:
            continue
        with torch.autocast("cpu", torch.bfloat16):
            found = wrong(case, results, "training")
        limit = OF_BFLOAT16 if kinds & REDUCED else 0
        far.update({(case.name, name): value for name, value in found.items() if value > limit})
    assert far == {}


@pytest.mark.caffe
@pytest.mark.parametrize("index", range(len(SOURCES)))
def test_source(index: int, theirs, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert unequal(source_by_engine(SOURCES[index]), theirs[1][index]) == []


@pytest.mark.caffe
def test_no_break_of_a_layer_survives(theirs) -> None:
    """Each on one case; `python -m tests.engine.parity.write_docs mutations` takes all."""
    found = mutations.break_layers(theirs[0], at_most=1)
    found.update(other_mutations.break_onnx(at_most=1))
    assert mutations.survivors(found) == []
    assert mutations.rows_of("mutations") == mutations.rows(found, mutations.LAYER_HEADS)
    broken = {kind for kind, _, _ in found}
    assert broken == {case.type for case in CASES if mutations.ways_of(case)}


@pytest.mark.caffe
def test_no_break_of_a_source_survives(
    theirs, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    found = other_mutations.break_sources(theirs[1])
    assert mutations.survivors(found) == []
    assert mutations.rows_of("sources") == mutations.rows(found, mutations.SOURCE_HEADS)


#: Layers that are fed from Python, or write a file: tests/engine/test_data_files.py.
APART = {"MemoryData", "HDF5Output"}


def test_every_layer_type_has_a_case() -> None:
    layers = {case.type for case in CASES if not isinstance(case, (Chain, Graph))}
    sources = {source.type for source in SOURCES}
    apart = APART | FORKS | {"Python"}  # Python: tests/pycaffe/test_flows.py
    assert layers | sources >= set(layer_types()) - apart and not layers & sources
    assert layers <= set(layer_types()) - FORKS
    assert {f"filler {kind}" for kind in _FILLERS} == {s for s in sources if " " in s}


def test_which_layers_have_weights_is_known_without_the_engine() -> None:
    found = {True: set(), False: set()}
    for case in CASES:
        for layer in opened(case).layers:
            assert has_weights(layer.param) == bool(len(layer.blobs)), layer.param
            found[bool(len(layer.blobs))].add(layer.layer_type)
    assert found[True] & found[False] == {"Scale", "Bias"}


def test_names_are_distinct() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def test_training_does_in_one_step_what_the_chains_say() -> None:
    chains = [case for case in CASES if isinstance(case, Chain)]
    joined = {case.name: mutations.is_one_step(case) for case in chains}
    assert joined == {case.name: case.joined for case in chains}
    assert {True, False} == set(joined.values())


@pytest.mark.parametrize("kind", ["SoftmaxWithLoss", "SigmoidCrossEntropyLoss"])
def test_a_second_top_is_the_probabilities(kind: str) -> None:
    """Real Caffe cannot set that up; the first top is what it is without the second."""
    like = next(case for case in CASES if case.type == kind and case.bottoms[0].ndim == 2)
    both = by_engine(Case(kind, like.fields, like.bottoms, tops=2))
    for name, array in by_engine(like).items():
        assert np.array_equal(array, both[name]), name
    values = np.exp(like.bottoms[0].astype(np.float64))
    wanted = values / (values.sum(1, keepdims=True) if kind[:2] == "So" else 1 + values)
    assert is_near(both["t1"], wanted)


def test_a_number_that_is_off_is_seen() -> None:
    """Beside a huge one, not finite, missing, 0, or in another shape."""
    wanted = np.array([1e6, 1.0, np.inf, 0.0])
    assert is_near(wanted, wanted) and is_near(wanted.astype(np.float32), wanted)
    for index, value in ((0, 1.00002e6), (1, 4.0), (2, 1e38), (3, 3.0), (0, np.nan), (3, -np.inf)):
        found = wanted.copy()
        found[index] = value
        assert not is_near(found, wanted), (index, value)
    assert not is_near(wanted[:, None], wanted) and not is_near(wanted[:3], wanted)
    assert not is_near(np.full(3, 1e-9), np.zeros(3)) and is_near(np.zeros(3), np.zeros(3))
