"""Convolutions and deconvolutions of 3x3 by our loops, beside PyTorch's own in float64."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F

from gcnet_caffe.engine import loops
from gcnet_caffe.engine.layers import TEST, TRAIN, Context
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.formats import caffe_pb, parse_text
from tests.engine import runs

#: Bottom, outputs, pad, and whether there is a bias.
CASES = [
    ((3, 32, 8, 8), 64, 1, False),
    ((1, 64, 10, 4), 32, 0, True),
    ((2, 32, 6, 26), 96, 2, True),
    ((5, 96, 4, 4), 64, 1, True),
    ((20, 32, 16, 12), 32, 1, False),
]
FUNCTIONS = {"Convolution": F.conv2d, "Deconvolution": F.conv_transpose2d}


def net_of(
    kind: str, bottom: Sequence[int], outputs: int, pad: int, bias: bool, phase: int = TRAIN
) -> tuple[Net, torch.Tensor]:
    """Return a net of one layer, and drawn numbers of its bottom's shape."""
    text = f"""
        force_backward: true
        layer {{ name: "x" type: "Input" top: "x" input_param {{
            shape {{ {" ".join(f"dim: {size}" for size in bottom)} }} }} }}
        layer {{ name: "y" type: "{kind}" bottom: "x" top: "y" convolution_param {{
            num_output: {outputs} kernel_size: 3 pad: {pad} bias_term: {str(bias).lower()}
            weight_filler {{ type: "gaussian" }} bias_filler {{ value: 2 }} }} }}"""
    param = parse_text(text, caffe_pb.NetParameter)
    param.state.phase = phase
    net = Net(param, Context(phase=phase, rng=CaffeRng(1)))
    net.use_channels_last()
    return net, torch.randn(*bottom, generator=torch.Generator().manual_seed(0))


def with_gradients(top: torch.Tensor, given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return `top`, and the gradients of `given` for drawn ones of the top."""
    drawn = torch.randn(top.shape, generator=torch.Generator().manual_seed(1)).to(top.dtype)
    return [top.detach(), *torch.autograd.grad(top, given, drawn)]


def run(net: Net, x: torch.Tensor) -> tuple[list[torch.Tensor], str]:
    batch = net.next_batch({"x": x})
    top = net.run(batch)[1]["y"]
    assert top.grad_fn is not None
    found = with_gradients(top, [batch[0], *(one.param for one in net.learnable)])
    return found, top.grad_fn.name()


@pytest.mark.parametrize("kind", FUNCTIONS)
@pytest.mark.parametrize("bottom, outputs, pad, bias", CASES)
def test_top_and_gradients(
    kind: str, bottom: Sequence[int], outputs: int, pad: int, bias: bool
) -> None:
    net, x = net_of(kind, bottom, outputs, pad, bias)
    exact = [x.double(), *(one.param.detach().double() for one in net.learnable)]
    exact = [given.requires_grad_() for given in exact]
    wanted = with_gradients(FUNCTIONS[kind](*exact, padding=pad), exact)
    found, name = run(net, x)
    assert name == "ConvolvedBackward"
    assert len(found) == len(wanted)
    for mine, theirs in zip(found, wanted):
        assert runs.distance(mine.double(), theirs) < 1e-6  # oneDNN's: up to 7e-7
    with runs.threads(3):
        assert all(torch.equal(*pair) for pair in zip(found, run(net, x)[0]))


@pytest.mark.parametrize(
    "bottom, outputs",
    [((2, 32, 5, 6), 32), ((2, 32, 6, 2), 32), ((2, 48, 6, 6), 32), ((1, 128, 4, 4), 96)],
)
def test_what_the_loops_do_not_take(bottom: Sequence[int], outputs: int) -> None:
    """Odd and small sizes, channels that are not 32 each, and many weights."""
    net, x = net_of("Convolution", bottom, outputs, 1, True)
    found, name = run(net, x)
    assert name != "ConvolvedBackward"
    blobs = [one.param.detach() for one in net.learnable]
    torch.testing.assert_close(found[0], F.conv2d(x, *blobs, padding=1))


def test_only_in_training_and_in_float32() -> None:
    net, x = net_of("Convolution", *CASES[0], phase=TEST)
    assert run(net, x)[1] != "ConvolvedBackward"
    net, _ = net_of("Convolution", *CASES[0])
    assert (run(net, x)[1] == "ConvolvedBackward") == loops.has_numba()
    with torch.autocast("cpu", torch.bfloat16):
        assert net.run(net.next_batch({"x": x}))[1]["y"].dtype == torch.bfloat16
