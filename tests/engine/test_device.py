"""What is written for GPUs gives the CPU's numbers, as far as a CPU can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gcnet_caffe.engine import fusion, winograd
from gcnet_caffe.engine.device import to_device
from gcnet_caffe.engine.fillers import _FILLERS
from gcnet_caffe.engine.layers import TRAIN, Context, convolution
from gcnet_caffe.engine.layers.pooling import _unpool_channels_last
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import DeviceRng
from gcnet_caffe.formats import caffe_pb, parse_text
from tests.engine import runs
from tests.scratch import make_tree

CPU = torch.device("cpu")


@pytest.mark.parametrize("height, width", [(6, 8), (7, 5)])
def test_unpooling_in_channels_last_is_torchs_own(height: int, width: int) -> None:
    full = torch.randn(3, 4, height, width, generator=torch.Generator().manual_seed(1))
    full = full.contiguous(memory_format=torch.channels_last)
    pooled, mask = torch.nn.functional.max_pool2d(full, 2, return_indices=True)
    found = _unpool_channels_last(pooled, mask, height, width)
    assert torch.equal(found, torch.ops.aten.max_unpool2d(pooled, mask, (height, width)))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_arrays_and_tensors_come_to_the_device_as_they_are() -> None:
    for given in (np.arange(4), np.ones(2, bool), torch.ones(2, 3).t()):
        found = to_device(given, CPU)
        assert torch.equal(found, torch.as_tensor(given)) and found.device == CPU


@pytest.mark.parametrize("kind", sorted(_FILLERS))
def test_every_filler_takes_the_numbers_of_a_device(kind: str) -> None:
    text = f"""layer {{ name: "d" type: "DummyData" top: "x" dummy_data_param {{
        shape {{ dim: 64 dim: 3 dim: 4 dim: 4 }} data_filler {{ type: "{kind}" value: 1 }} }} }}"""
    param = parse_text(text, caffe_pb.NetParameter)
    blob = Net(param, Context(phase=TRAIN, rng=DeviceRng(1, CPU))).blobs()["x"]
    again = Net(param, Context(phase=TRAIN, rng=DeviceRng(1, CPU))).blobs()["x"]
    assert torch.equal(blob, again) and blob.abs().max() > 0 and bool(blob.isfinite().all())
    if kind == "positive_unitball":
        assert torch.allclose(blob.flatten(1).sum(1), torch.ones(64))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated")  # torch.compile does so itself
def test_a_net_compiles_in_one_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, where no layer is left out; this backend makes no kernels of what it sees."""
    monkeypatch.setattr(fusion, "_OWN_KERNELS", ())
    for module in (fusion, convolution, winograd):  # our loops are a CPU's
        monkeypatch.setattr(module, "has_numba", lambda: False)
    make_tree(tmp_path, batch_size=2)
    monkeypatch.chdir(tmp_path)
    path = runs.solver_of(tmp_path, "S1R1", max_iter=1)
    plain, compiled = runs.make_solver(path), runs.make_solver(path)
    compiled.net.use_torch_compile(backend="aot_eager", fullgraph=True)
    assert len(compiled.net._compiled) == 1
    assert runs.one_step(compiled)[0] == runs.one_step(plain)[0]
    wanted = runs.blobs_in(plain.net)
    assert {
        n for n, blob in runs.blobs_in(compiled.net).items() if (blob != wanted[n]).any()
    } == set()
