"""LSTM and RNN over several batches: the weights that are drawn, and the states that are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.caffe_order.compiled import use_one_thread
from gcnet_caffe.engine.layers import TRAIN
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from tests.engine import runs
from tests.engine.parity.run import is_near

STEPS, TURNS = 3, 4
_SHAPES = (("x", "dim: 3 dim: 2 dim: 4"), ("cont", "dim: 3 dim: 2"), ("static", "dim: 2 dim: 5"))
_FILLERS = """num_output: 3 weight_filler { type: "gaussian" std: 0.7 }
  bias_filler { type: "uniform" min: -1 max: 1 }"""
NET = "".join(
    f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }} }}\n'
    for name, dims in _SHAPES
) + "".join(
    f'layer {{ name: "{name}" type: "{kind}" bottom: "x" bottom: "cont" {bottom} top: "{name}" '
    f"recurrent_param {{ {_FILLERS} }} }}\n"
    for name, kind, bottom in (
        ("lstm", "LSTM", ""),
        ("static_lstm", "LSTM", 'bottom: "static"'),
        ("rnn", "RNN", ""),
        ("static_rnn", "RNN", 'bottom: "static"'),
    )
)
SCRIPT = """
import caffe, numpy as np
caffe.set_random_seed(7)
net, given, found = caffe.Net("net.prototxt", caffe.TRAIN), np.load("given.npz"), {}
for name, blobs in net.params.items():
    found.update((f"{name}:{i}", blob.data) for i, blob in enumerate(blobs))
for turn in range(len(given["x"])):
    for name in ("x", "cont", "static"):
        net.blobs[name].reshape(*given[f"{name} {turn}"].shape)
        net.blobs[name].data[...] = given[f"{name} {turn}"]
    net.forward()
    found.update((f"{name} {turn}", net.blobs[name].data.copy()) for name in net.params)
np.savez("found.npz", **found)
"""


@pytest.mark.caffe
def test_drawn_weights_and_kept_states_are_real_caffes(
    tmp_path: Path, caffe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    given = {"x": np.zeros(TURNS)}
    for turn in range(TURNS):
        streams = 1 if turn == 2 else 2  # the last turn has more again
        shapes = {"x": (STEPS, streams, 4), "cont": (STEPS, streams), "static": (streams, 5)}
        for name, shape in shapes.items():
            given[f"{name} {turn}"] = rng.standard_normal(shape).astype(np.float32)
        given[f"cont {turn}"] = rng.integers(0, 2 if turn else 1, shapes["cont"]) + np.float32(0)
        if turn > 1:
            given[f"cont {turn}"][:] = 1
    np.savez("given.npz", **given)
    Path("net.prototxt").write_text(NET)
    caffe.run_python(SCRIPT, tmp_path)
    net = open_net("net.prototxt", TRAIN, CaffeRng(7))
    in_order = open_net("net.prototxt", TRAIN, CaffeRng(7), summation="caffe")
    use_one_thread()
    with np.load("found.npz") as theirs:
        weights = runs.blobs_in(net)
        assert len(weights) == 3 + 4 + 5 + 6
        for key, blob in weights.items():
            assert np.array_equal(blob, theirs[key]), key
        for turn in range(TURNS):
            inputs = {
                name: torch.from_numpy(np.float32(given[f"{name} {turn}"])) for name, _ in _SHAPES
            }
            blobs, exact = net.blobs(inputs), in_order.blobs(inputs)
            for layer in ("lstm", "static_lstm", "rnn", "static_rnn"):
                wanted = theirs[f"{layer} {turn}"]
                assert is_near(blobs[layer].detach(), wanted), (layer, turn)
                assert np.array_equal(exact[layer].detach(), wanted), (layer, turn)
    with pytest.raises(NetError, match="'lstm' .LSTM.: found 2 steps, wanted 3 as at first"):
        net.blobs({"x": torch.zeros(2, 1, 4), "cont": torch.zeros(2, 1)})


def test_states_are_set_as_they_were_and_grow_from_zeros(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    net, other = (open_net(tmp_path / "net.prototxt", TRAIN, CaffeRng(7)) for _ in range(2))
    batch = {"x": torch.randn(3, 2, 4), "cont": torch.ones(3, 2), "static": torch.randn(2, 5)}
    start = {name: blob.detach() for name, blob in net.blobs(batch).items()}
    wide = {
        "x": torch.cat([batch["x"]] * 2, 1),
        "cont": torch.ones(3, 4),
        "static": torch.cat([batch["static"]] * 2),
    }
    again = net.blobs(batch)
    grown = net.blobs(wide)
    for mine, theirs in zip(other.layers_with_state, net.layers_with_state):
        mine.set_state(theirs.state())
    after, alike = net.blobs(wide), other.blobs(wide)
    for name in ("lstm", "rnn", "static_lstm", "static_rnn"):
        assert not torch.equal(again[name], start[name])
        torch.testing.assert_close(grown[name][:, :2], start[name])
        assert not torch.equal(after[name], grown[name])
        assert torch.equal(after[name], alike[name])


def test_compiled_layers_have_the_same_gradients(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    net, other = (open_net(tmp_path / "net.prototxt", TRAIN, CaffeRng(7)) for _ in range(2))
    other.use_torch_compile(backend="aot_eager_decomp_partition")
    for _ in range(2):
        batch = {"x": torch.randn(3, 2, 4), "cont": torch.ones(3, 2), "static": torch.ones(2, 5)}
        for one in (net, other):
            _, outputs = one(batch)
            sum(blob.square().sum() for blob in outputs.values()).backward()  # type: ignore[union-attr]
    for mine, theirs in zip(other.learnable, net.learnable):
        torch.testing.assert_close(mine.param.grad, theirs.param.grad)
