"""A Caffe net as a PyTorch module: `gcnet_caffe.load_net`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gcnet_caffe import load_net, read_net, read_weights, to_text
from gcnet_caffe.errors import NetError, UsageError, WeightsError

NET = """
name: "small"
layer { name: "in" type: "Input" top: "x" top: "y"
        input_param { shape { dim: 1 dim: 1 dim: 6 dim: 6 } shape { dim: 1 dim: 4 } } }
layer { name: "conv.1" type: "Convolution" bottom: "x" top: "c"
        convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "train" type: "InnerProduct" bottom: "c" top: "score"
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "both" type: "Eltwise" bottom: "score" bottom: "y" top: "sum" }
layer { name: "drop" type: "Dropout" bottom: "sum" top: "drop" include { phase: TRAIN } }
"""

PYCAFFE = """
import caffe, numpy as np
caffe.set_random_seed(5)
net = caffe.Net("net.prototxt", caffe.TEST)
given = np.load("given.npz")
for name in given.files:
    net.blobs[name].reshape(*given[name].shape)
    net.blobs[name].data[...] = given[name]
net.forward()
net.save("net.caffemodel")
np.savez("found.npz", **{name: net.blobs[name].data for name in ("c", "sum")})
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "net.prototxt").write_text(NET)
    return tmp_path / "net.prototxt"


def inputs(count: int) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    return {
        "x": torch.randn(count, 1, 6, 6, generator=draw),
        "y": torch.randn(count, 4, generator=draw),
    }


@pytest.mark.caffe
def test_any_blob_is_real_caffes(path: Path, caffe: Any) -> None:
    given = inputs(3)
    np.savez(path.parent / "given.npz", **{name: x.numpy() for name, x in given.items()})
    caffe.run_python(PYCAFFE, path.parent)
    wanted = np.load(path.parent / "found.npz")
    net = load_net(path, path.parent / "net.caffemodel", outputs=["c"])
    assert net.inputs == ("x", "y") and net.outputs == ("sum", "c")
    found = net(**given)
    assert set(found) == {"sum", "c"}
    for name, blob in found.items():
        np.testing.assert_allclose(blob.detach().numpy(), wanted[name], rtol=0, atol=1e-6)
    filled = load_net(path, seed=5, outputs=["c"])(given["x"], given["y"])
    for name, blob in filled.items():  # without weights, by Caffe's own random numbers
        np.testing.assert_allclose(blob.detach().numpy(), wanted[name], rtol=0, atol=1e-6)


def test_it_trains_as_a_module_written_by_hand(path: Path) -> None:
    net, given, target = load_net(path, seed=5), inputs(3), torch.ones(3, 4)
    conv, full = torch.nn.Conv2d(1, 3, 3), torch.nn.Linear(48, 4)
    hand = torch.nn.Sequential(conv, torch.nn.ReLU(), torch.nn.Flatten(), full)
    names = ("conv_1.0", "conv_1.1", "train_.0", "train_.1")
    assert tuple(net.state_dict()) == names
    state = zip(hand.state_dict(), net.state_dict().values())
    hand.load_state_dict({name: blob.clone() for name, blob in state})
    for module, output in (
        (net, lambda: net(**given)["sum"]),
        (hand, lambda: hand(given["x"]) + given["y"]),
    ):
        optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            (output() - target).square().sum().backward()
            optimizer.step()
    for found, wanted in zip(net.parameters(), hand.parameters()):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)


def test_its_state_is_saved_loaded_and_converted(path: Path) -> None:
    net, other, given = load_net(path, seed=5), load_net(path, seed=6), inputs(2)
    assert not torch.equal(net(**given)["sum"], other(**given)["sum"])
    torch.save(net.state_dict(), path.parent / "state.pt")
    other.load_state_dict(torch.load(path.parent / "state.pt"))
    assert torch.equal(net(**given)["sum"], other(**given)["sum"])
    doubled = other.double()(**{name: x.double() for name, x in given.items()})["sum"]
    assert doubled.dtype == torch.float64
    torch.testing.assert_close(doubled.float(), net(**given)["sum"])


def test_the_phase_decides_which_layers_there_are(path: Path) -> None:
    assert load_net(path).outputs == ("sum",)
    assert load_net(path, phase="TRAIN").outputs == ("drop",)


def test_another_size_is_named_where_the_net_cannot_take_it(path: Path) -> None:
    net = load_net(path)
    said = r"input 'x': found shape \(1, 1, 7, 6\), the prototxt has \(1, 1, 6, 6\); layer 'train'"
    with pytest.raises(NetError, match=f"^{path}: {said}"):
        net(torch.zeros(1, 1, 7, 6))
    path.write_text(NET.partition('layer { name: "train"')[0])
    assert load_net(path)(torch.zeros(1, 1, 7, 6))["c"].shape == (1, 3, 5, 4)


OTHER = NET.replace("conv.1", "conv.2")
#: Two layers with the same weights, which an HDF5 file has once.
SHARED = """
layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" }
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { name: "b" }
        inner_product_param { num_output: 4 weight_filler { type: "xavier" } } }
"""


def test_weights_that_lack_a_layer_are_for_fine_tuning_only(path: Path) -> None:
    other, weights = path.parent / "other.prototxt", path.parent / "other.caffemodel"
    other.write_text(OTHER)
    load_net(other).save(weights)
    said = f"^{weights}: no weights of layer 'conv.1', which {path} has"
    with pytest.raises(WeightsError, match=f"{said}$"):
        load_net(path, weights)
    with pytest.warns(UserWarning, match=f"{said}: they start from their fillers$") as warned:
        net = load_net(path, weights, phase="TRAIN", seed=9)
    assert warned[0].filename == __file__
    found, filled = net.state_dict(), load_net(path, seed=9).state_dict()
    assert torch.equal(found["conv_1.0"], filled["conv_1.0"])
    assert torch.equal(found["train_.0"], load_net(other).state_dict()["train_.0"])
    other.write_text(OTHER.replace('"train"', '"last"'))
    load_net(other).save(weights)
    for phase in ("TEST", "TRAIN"):
        with pytest.raises(WeightsError, match=f"{said}, and of 1 more$"):
            load_net(path, weights, phase=phase)


def test_weights_of_other_shapes_are_refused(path: Path) -> None:
    other, weights = path.parent / "other.prototxt", path.parent / "other.caffemodel"
    other.write_text(NET.replace("num_output: 3", "num_output: 5"))
    load_net(other).save(weights)
    said = rf"layer 'conv.1', blob 0: found shape \(5, 1, 3, 3\), {path} has \(3, 1, 3, 3\)"
    with pytest.raises(WeightsError, match=f"^{weights}: {said}$"):
        load_net(path, weights)
    with pytest.raises(WeightsError, match="; to train this layer from scratch, rename it$"):
        load_net(path, weights, phase="TRAIN")


@pytest.mark.parametrize("ending", ["", ".h5"])
def test_shared_weights_are_complete(ending: str, path: Path) -> None:
    path.write_text(SHARED)
    net, weights = load_net(path, seed=3), f"{path.parent}/w.caffemodel{ending}"
    net.save(weights)
    given = torch.ones(1, 4)
    assert torch.equal(load_net(path, weights)(given)["b"], net(given)["b"])


def test_weights_in_the_prototxt_are_enough(path: Path) -> None:
    weights = path.parent / "w.caffemodel"
    path.write_text(SHARED.replace('param { name: "w" } param { name: "b" }', ""))
    load_net(path).save(weights)
    net = read_net(path)
    net.layer[1].CopyFrom(read_weights(weights).layer[1])
    net.layer[1].name = "inside"
    path.write_text(to_text(net))
    load_net(path, weights)


def test_what_is_not_there_is_one_line(path: Path) -> None:
    with pytest.raises(UsageError, match="phase: found 'train', wanted TEST or TRAIN"):
        load_net(path, phase="train")
    with pytest.raises(NetError, match="no blob 'fc7'"):
        load_net(path, outputs=["fc7"])
    with pytest.raises(NetError, match="no input blob 'z'; wanted one of"):
        load_net(path)(z=torch.zeros(1))
    with pytest.raises(UsageError, match="found 3, the net takes"):
        load_net(path)(*[torch.zeros(1)] * 3)
