"""What is written for GPUs gives the CPU's numbers, as far as a CPU can tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.device import to_device
from gcnet_caffe.engine.fillers import _FILLERS
from gcnet_caffe.engine.layers import TRAIN, Context
from gcnet_caffe.engine.layers.pooling import _unpool_channels_last
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import DeviceRng
from gcnet_caffe.formats import caffe_pb, parse_text

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
