"""Every layer as ONNX against the torch engine, which tests/engine/parity holds against real Caffe.

The cases are those of that folder, each at its own batch size and at twice as much.
"""

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.layers import TEST
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from gcnet_caffe.onnx.export import convert
from gcnet_caffe.onnx.layers import converted_types
from gcnet_caffe.recognition.model import LAYER_TYPES
from gcnet_caffe.schema import to_text
from tests.engine.parity.cases import CASES
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
INDEX = [i for i, case in enumerate(CASES) if case.type in converted_types() and case.tops]


def opened(case, folder):
    """Return the engine's net of the case with random weights."""
    net = case.net()
    net.layer[-1].phase = TEST
    (folder / "net.prototxt").write_text(to_text(net))
    engine = open_net(folder / "net.prototxt", TEST, CaffeRng(0))
    rng = np.random.default_rng(len(case.name))
    low = 0.5 if case.type == "BatchNorm" else -1
    for blob in engine.layers[-1].blobs:
        blob.data = torch.from_numpy(rng.uniform(low, 1.5, blob.shape).astype(np.float32))
    return engine


def assert_equal(engine, model, bottoms):
    inputs = {f"b{i}": bottom for i, bottom in enumerate(bottoms)}
    wanted = engine.blobs({name: torch.from_numpy(array) for name, array in inputs.items()})
    found = run_onnx(model, inputs)
    assert set(found) == set(engine.outputs)
    for name, array in found.items():
        values = wanted[name].detach().float().numpy()
        assert array.shape == values.shape
        np.testing.assert_allclose(array, values, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("index", INDEX, ids=[CASES[i].name for i in INDEX])
def test_layer(index, tmp_path):
    case = CASES[index]
    engine = opened(case, tmp_path)
    refusal = next((text for words, text in REFUSED.items() if words in case.name), None)
    if refusal:
        with pytest.raises(NetError, match=refusal):
            convert(engine)
        return
    model = convert(engine)
    assert_equal(engine, model, case.bottoms)
    if not any(words in case.name for words in FIXED):
        twice = [np.concatenate([b, b[::-1]]) if b.ndim else b for b in case.bottoms]
        assert_equal(engine, model, twice)


def test_all_that_a_deploy_net_may_be_made_of_is_converted():
    assert set(LAYER_TYPES) - set(converted_types()) == {"DummyData", "Input"}


@pytest.mark.parametrize("kind", ["kernel_size: 2 stride: 3", "kernel_size: 3 stride: 3 pad: 2"])
def test_a_window_outside_the_bottom_is_refused_or_as_in_the_engine(kind, tmp_path):
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
        assert_equal(engine, convert(engine), [bottom])
    else:
        with pytest.raises(NetError, match="layer 'pool' .*: a window lies outside the bottom"):
            convert(engine)
