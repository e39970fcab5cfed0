"""Convolutions from one channel, and deconvolutions into one, by our loop beside PyTorch's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from gcnet_caffe.engine import loops
from gcnet_caffe.engine.layers import TEST, TRAIN, Context
from gcnet_caffe.engine.layers.convolution import _one_map
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.formats import caffe_pb, parse_text
from tests.engine import runs

#: Channels, height, width; kernel and padding of two axes, and whether there is a bias.
CASES = [
    (16, 20, 16, (5, 5), (2, 2), False),
    (32, 3, 37, (3, 3), (1, 1), True),
    (48, 17, 32, (4, 2), (0, 1), True),
    (16, 5, 24, (1, 1), (0, 0), False),
    (16, 18, 40, (7, 6), (3, 5), False),
]
FUNCTIONS = {"Convolution": F.conv2d, "Deconvolution": F.conv_transpose2d}


def net_of(kind: str, case: Any, phase: int = TRAIN) -> tuple[Net, torch.Tensor]:
    """Return a net of one layer, and drawn numbers of its bottom's shape."""
    channels, height, width, kernel, padding, bias = case
    outputs, inputs = (channels, 1) if kind == "Convolution" else (1, channels)
    text = f"""
        force_backward: true
        layer {{ name: "x" type: "Input" top: "x" input_param {{
            shape {{ dim: 3 dim: {inputs} dim: {height} dim: {width} }} }} }}
        layer {{ name: "y" type: "{kind}" bottom: "x" top: "y" convolution_param {{
            num_output: {outputs} kernel_h: {kernel[0]} kernel_w: {kernel[1]}
            pad_h: {padding[0]} pad_w: {padding[1]} bias_term: {str(bias).lower()}
            weight_filler {{ type: "gaussian" }} bias_filler {{ value: 2 }} }} }}"""
    param = parse_text(text, caffe_pb.NetParameter)
    param.state.phase = phase
    net = Net(param, Context(phase=phase, rng=CaffeRng(1)))
    net.use_channels_last()
    drawn = torch.randn(3, inputs, height, width, generator=torch.Generator().manual_seed(0))
    return net, drawn


def run(net: Net, x: torch.Tensor, reduced: bool = False) -> list[torch.Tensor]:
    """Return the top, and the gradients of bottom, weight and bias, for drawn ones of the top."""
    batch = net.next_batch({"x": x})
    with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
        top = net.run(batch)[1]["y"]
    drawn = torch.randn(top.shape, generator=torch.Generator().manual_seed(1))
    blobs = [one.param for one in net.learnable]
    return [top, *torch.autograd.grad(top, [batch[0], *blobs], drawn.to(top.dtype))]


def exact(kind: str, case: Any, net: Net, x: torch.Tensor) -> list[torch.Tensor]:
    """As `run`, in float64 by PyTorch."""
    given = [x.double().requires_grad_()]
    given += [one.param.detach().double().requires_grad_() for one in net.learnable]
    top = FUNCTIONS[kind](*given, padding=case[4])
    drawn = torch.randn(top.shape, generator=torch.Generator().manual_seed(1))
    return [top, *torch.autograd.grad(top, given, drawn.double())]


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("reduced, limit", [(False, 2e-6), (True, 0.006)])
def test_top_and_gradients(kind: str, case: Any, reduced: bool, limit: float) -> None:
    net, x = net_of(kind, case)
    wanted = exact(kind, case, net, x)
    found = run(net, x, reduced)
    assert len(found) == len(wanted)
    for mine, theirs in zip(found, wanted):
        assert runs.distance(mine.detach().double(), theirs.detach()) < limit
    with runs.threads(3):
        assert all(torch.equal(*pair) for pair in zip(found[:2], run(net, x, reduced)))


@pytest.mark.parametrize(
    "channels, width, taken", [(16, 16, True), (16, 15, False), (8, 16, False)]
)
def test_what_the_loop_takes(channels: int, width: int, taken: bool) -> None:
    bottom, weight = torch.randn(2, channels, 4, width), torch.randn(channels, 1, 3, 3)
    made = _one_map(bottom, weight, (1, 1))
    assert (made is not None) == (taken and loops.has_numba())
    if made is not None:
        torch.testing.assert_close(made, F.conv_transpose2d(bottom, weight, padding=1))


def test_a_net_that_is_not_trained_does_not_wait_for_numba() -> None:
    """And gives the same numbers up to rounding."""
    trained, x = net_of("Deconvolution", CASES[0])
    used, _ = net_of("Deconvolution", CASES[0], TEST)
    tops = [net.run(net.next_batch({"x": x}))[1]["y"] for net in (trained, used)]
    torch.testing.assert_close(*tops)
    assert not torch.equal(*tops)
