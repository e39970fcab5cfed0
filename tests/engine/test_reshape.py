"""A layer that gets bottoms of another shape (pycaffe's `reshape`) forgets nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.net import Net
from gcnet_caffe.errors import NetError
from tests.engine.forks.cases import CASES as FORKS
from tests.engine.parity.case import Case, labels, normal
from tests.engine.parity.cases import CASES
from tests.engine.parity.run import opened


def remembered(net: Net) -> dict[str, Any]:
    """Return the layers' blobs and what they keep besides, and the state of the random numbers."""
    found: dict[str, Any] = {"random": str(net.context.rng.state)}
    for layer in net.layers:
        found.update((f"{layer.name}:{i}", b.tolist()) for i, b in enumerate(layer.blobs))
        if layer.has_state:
            found[layer.name] = layer.state()
    return found


@pytest.mark.parametrize("kind", sorted({case.type for case in [*CASES, *FORKS]}))
def test_a_layer_remembers(kind: str) -> None:
    for case in [*CASES, *FORKS]:
        if case.type != kind:
            continue
        net = opened(case)
        batch = {f"b{i}": torch.from_numpy(bottom) for i, bottom in enumerate(case.bottoms)}
        with torch.no_grad():
            for blob in net.parameters():
                blob.uniform_(0.5, 1.5)
            net.run(net.next_batch(batch))
        before = remembered(net)
        for step in net.steps:
            if not step.layer.is_source:
                step.layer.reshape([net.blob_shapes[number] for number in step.bottoms])
        assert remembered(net) == before, case.name


def test_a_recurrent_layer_takes_more_streams_but_no_more_steps() -> None:
    case = Case("LSTM", "recurrent_param { num_output: 3 }", [normal(2, 4, 5), labels(2, 2, 4)])
    (layer,) = [layer for layer in opened(case).layers if layer.layer_type == "LSTM"]
    assert [tuple(shape) for shape in layer.reshape([(2, 6, 5), (2, 6)])] == [(2, 6, 3)]
    top = layer(torch.zeros(2, 6, 5), torch.ones(2, 6))
    assert isinstance(top, torch.Tensor) and np.isfinite(top.detach().numpy()).all()
    with pytest.raises(NetError, match="found 3 steps, wanted 2 as at first"):
        layer.reshape([(3, 6, 5), (3, 6)])
