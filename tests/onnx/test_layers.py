"""Every layer as ONNX against the torch engine, which tests/engine/parity holds against real Caffe.

The cases are those of that folder, each at its own batch size and at twice as much.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gcnet_caffe.engine.layers import TEST
from gcnet_caffe.engine.net import Net, open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import to_text
from gcnet_caffe.inference.model import LAYER_TYPES
from gcnet_caffe.onnx.export import convert
from gcnet_caffe.onnx.layers import CONVERTERS
from tests.engine.parity.case import Case
from tests.engine.parity.cases import CASES
from tests.engine.parity.run import NORMS, is_near
from tests.onnx.run import run_onnx

#: Words of a case's name -> what is said: the batch may have any size, statistics are stored.
REFUSED = {
    "use_global_stats: false": "use_global_stats: found false, wanted the stored statistics",
    "axis: 0 slice_point": "axis: found 0, wanted 1 or more: the batch may have any size",
    "shape { dim: 6": r"shape \[6, 20\]: wanted 0 or -1 first: the batch may have any size",
}
#: Words of a case's name whose layer's blob, or second bottom, fixes the size of the axes.
FIXED = ("](6)", "axis: 0 num_axes", "(3x4x5x2,4x5)")
#: Silence has no top to compare: the deploy nets with a VAE have it, in test_export.py.
INDEX = [i for i, case in enumerate(CASES) if case.type in CONVERTERS and case.tops]


def opened(case: Case, folder: Path) -> Net:
    """Return the engine's net of the case with random weights."""
    net = case.net()
    net.layer[-1].phase = TEST
    (folder / "net.prototxt").write_text(to_text(net))
    engine = open_net(folder / "net.prototxt", TEST, CaffeRng(0))
    rng = np.random.default_rng(len(case.name))
    low = 0.5 if case.type in NORMS else -1
    for blob in engine.layers[-1].blobs:
        blob.data = torch.from_numpy(rng.uniform(low, 1.5, blob.shape).astype(np.float32))
    return engine


def wrong(engine: Net, model: Any, bottoms: list[NDArray[np.float32]]) -> list[str]:
    """Return the outputs of the ONNX model that are not the engine's, as near as it is to Caffe."""
    inputs = {f"b{i}": bottom for i, bottom in enumerate(bottoms)}
    wanted = engine.blobs({name: torch.from_numpy(array) for name, array in inputs.items()})
    found = run_onnx(model, inputs)
    assert set(found) == set(engine.outputs) and found
    values = {name: wanted[name].detach().float().numpy() for name in found}
    return [name for name, array in found.items() if not is_near(array, values[name])]


def refusal_of(case: Case) -> str | None:
    """Return what is said of a case that is refused."""
    return next((text for words, text in REFUSED.items() if words in case.name), None)


@pytest.mark.parametrize("index", INDEX, ids=[CASES[i].name for i in INDEX])
def test_layer(index: int, tmp_path: Path) -> None:
    case = CASES[index]
    engine = opened(case, tmp_path)
    if refusal_of(case):
        with pytest.raises(NetError, match=refusal_of(case)):
            convert(engine)
        return
    model = convert(engine)
    assert wrong(engine, model, case.bottoms) == []
    if not any(words in case.name for words in FIXED):
        twice = [np.concatenate([b, b[::-1]]) if b.ndim else b for b in case.bottoms]
        assert wrong(engine, model, twice) == []


def test_every_reason_to_refuse_and_every_fixed_size_has_a_case() -> None:
    names = [CASES[index].name for index in INDEX]
    for words in (*REFUSED, *FIXED):
        assert any(words in name for name in names), words


def test_all_that_a_deploy_net_may_be_made_of_is_converted() -> None:
    assert set(LAYER_TYPES) - set(CONVERTERS) == {"DummyData", "Input"}


@pytest.mark.parametrize("kind", ["kernel_size: 2 stride: 3", "kernel_size: 3 stride: 3 pad: 2"])
def test_a_window_outside_the_bottom_is_refused_or_as_in_the_engine(
    kind: str, tmp_path: Path
) -> None:
    """Caffe rounds the number of windows up; with stride > kernel the last may be outside."""
    text = f"""
    layer {{ name: "b0" type: "Input" top: "b0"
            input_param {{ shape {{ dim: 1 dim: 1 dim: 6 dim: 8 }} }} }}
    layer {{ name: "pool" type: "Pooling" bottom: "b0" top: "t0"
            pooling_param {{ pool: MAX {kind} }} }}"""
    (tmp_path / "net.prototxt").write_text(text)
    engine = open_net(tmp_path / "net.prototxt", TEST, CaffeRng(0))
    bottom = np.random.default_rng(0).standard_normal((1, 1, 6, 8)).astype(np.float32)
    if "pad" in kind:
        assert wrong(engine, convert(engine), [bottom]) == []
    else:
        with pytest.raises(NetError, match="layer 'pool' .*: a window is outside the bottom"):
            convert(engine)
