"""Layers of one's own, in the engine: they train, are saved, continue, and are exported."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.caffe_name import provide
from gcnet_caffe.engine.layers import TRAIN, Context, layer_types
from gcnet_caffe.engine.layers.base import _REGISTRY
from gcnet_caffe.engine.layers.python import register_layer
from gcnet_caffe.engine.log import Log
from gcnet_caffe.engine.net import Net, open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.solver import Solver
from gcnet_caffe.errors import GcnetError, NetError, UsageError
from gcnet_caffe.formats import caffe_pb, parse_text, read_solver

MODULE = "tests.engine.own_layers"
NET = f"""
layer {{ name: "data" type: "Python" top: "data" top: "label" python_param {{ module: "{MODULE}"
  layer: "Rows" param_str: '{{"rows": 23, "seed": 1, "batch": 5}}' }} }}
layer {{ name: "gains" type: "Python" bottom: "data" top: "gains" python_param {{
  module: "{MODULE}" layer: "Gains" }} param {{ lr_mult: 2 }} }}
layer {{ name: "mish" type: "Python" bottom: "gains" top: "mish" python_param {{
  module: "{MODULE}" layer: "mish" }} }}
layer {{ name: "warm" type: "Python" bottom: "mish" top: "warm" python_param {{
  module: "{MODULE}" layer: "Temperature" param_str: "0.5" }} }}
layer {{ name: "score" type: "InnerProduct" bottom: "warm" top: "score" inner_product_param {{
  num_output: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" }}
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.2 lr_policy: "fixed" momentum: 0.9 random_seed: 1 max_iter: 12
snapshot_prefix: "own" snapshot: 4 display: 0
"""


def solver(folder: Path) -> Solver:
    (folder / "net.prototxt").write_text(NET)
    (folder / "solver.prototxt").write_text(SOLVER)
    return Solver(read_solver("solver.prototxt"), "solver.prototxt", log=Log(silent=True))


def blobs(solver: Solver) -> list[np.ndarray]:
    return [one.param.detach().numpy().copy() for one in solver.net.learnable]


def test_a_run_that_was_cut_off_continues_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    straight = solver(tmp_path)
    before = blobs(straight)
    straight.step(9)
    cut = solver(tmp_path)
    cut.restore("own_iter_8.solverstate")
    assert cut.net.layers_with_state[0].own.instance.place == 8 * 5 % 23
    cut.step(1)
    after = blobs(straight)
    assert all(np.array_equal(a, b) for a, b in zip(after, blobs(cut)))
    moved = [not np.array_equal(a, b) for a, b in zip(before, after)]
    assert moved == [True, True, False, True, True]  # the module's shift does not learn


def layer(text: str, *shapes: tuple[int, ...]) -> Net:
    """Return a net of inputs b0, b1 ... of `shapes`, and the layer `text` that reads them."""
    net = caffe_pb.NetParameter(force_backward=True)
    net.state.phase = TRAIN
    names = [f"b{index}" for index in range(len(shapes))]
    for name, shape in zip(names, shapes):
        given = net.layer.add(name=name, type="Input", top=[name])
        given.input_param.shape.add().dim.extend(shape)
    made = parse_text(f'name: "own" top: "t" {text}', caffe_pb.LayerParameter)
    made.bottom.extend(names)
    net.layer.append(made)
    return Net(net, Context(phase=TRAIN, rng=CaffeRng(1)))


def named(name: str, more: str = "") -> str:
    return f'type: "Python" python_param {{ module: "{MODULE}" layer: "{name}" {more} }}'


def passes(net: Net) -> list[torch.Tensor]:
    """Return top and gradients of the bottom and the blobs, of one pass on some numbers."""
    bottom = torch.linspace(-2, 2, 24).reshape(4, 6)
    batch = net.next_batch({"b0": bottom})
    _, outputs = net.run(batch)
    torch.sin(outputs["t"]).sum().backward()
    found = [outputs["t"].detach(), batch[0].grad, *(one.param.grad for one in net.learnable)]
    return [one for one in found if one is not None]


def test_numpy_and_torch_give_what_a_layer_of_caffe_gives() -> None:
    scale = "scale_param { filler { type: 'constant' value: 1 } }"
    wanted = passes(layer(f'type: "Scale" {scale}', (4, 6)))
    for found in (
        passes(layer(named("Gains"), (4, 6))),
        passes(layer(named("Temperature", 'param_str: "1"'), (4, 6))),
    ):
        found[0] = found[0] - (found[0] - wanted[0]).mean().round()  # the module adds 1
        assert len(wanted) == 3 and torch.allclose(found[0], wanted[0])
    power = passes(layer('type: "Power" power_param { power: 3 }', (4, 6)))
    for a, b in zip(passes(layer(named("power", 'param_str: "3"'), (4, 6))), power):
        assert torch.allclose(a, b, rtol=1e-6)
    for a, b in zip(passes(layer(named("Gains"), (4, 6))), wanted):
        assert torch.allclose(a, b, rtol=1e-6)


def test_a_registered_function_is_a_type() -> None:
    provide()  # the module imports caffe
    register_layer("OwnMish")(importlib.import_module(MODULE).mish)
    try:
        assert "OwnMish" in layer_types()
        for a, b in zip(
            passes(layer('type: "OwnMish"', (4, 6))), passes(layer(named("mish"), (4, 6)))
        ):
            assert torch.equal(a, b)
        with pytest.raises(UsageError, match="there is a layer 'OwnMish'"):
            register_layer("OwnMish")
    finally:
        del _REGISTRY["OwnMish"]


@pytest.mark.parametrize(
    "text, said",
    [
        ('type: "Python"', "python_param: found no module"),
        (named("Nothing"), "has no class or function 'Nothing'"),
        (named("Plain"), "wanted a class derived from caffe.Layer"),
        (named("Counting"), "buffer .'seen'. would be in no snapshot"),
        ('type: "Python" python_param { module: "no_such" layer: "L" }', "No module named 'no_s"),
        (named("mish") + ' top: "more"', "returned 1 tops, the prototxt has 2"),
    ],
)
def test_what_is_wrong_is_one_line(text: str, said: str) -> None:
    with pytest.raises(NetError, match=said) as caught:
        layer(text, (4, 6))
    assert "\n" not in str(caught.value) and "layer 'own' (Python)" in str(caught.value)


def test_an_error_of_the_class_is_passed_on() -> None:
    with pytest.raises(ValueError, match="wants another net"):
        layer(named("Failing"), (4, 6))


def test_a_module_in_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here_only.py").write_text("def same(bottom):\n    return bottom * 1\n")
    net = layer('type: "Python" python_param { module: "here_only" layer: "same" }', (4, 6))
    assert passes(net)[0].shape == (4, 6)


DEPLOY = f"""
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 dim: 4
  dim: 5 }} }} }}
layer {{ name: "mish" type: "Python" bottom: "data" top: "mish" {named("mish")[15:]} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "mish" top: "ip" inner_product_param {{
  num_output: 4 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "warm" type: "Python" bottom: "ip" top: "warm"
  {named("Temperature", 'param_str: "2"')[15:]} }}
"""


def test_layers_in_torch_are_written_as_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    import onnxruntime

    from gcnet_caffe.onnx.export import convert

    (tmp_path / "deploy.prototxt").write_text(DEPLOY)
    net = open_net(tmp_path / "deploy.prototxt", caffe_pb.TEST, CaffeRng(1))
    session = onnxruntime.InferenceSession(convert(net).SerializeToString())
    for count in (2, 5):  # of the prototxt, and another
        data = np.random.default_rng(0).standard_normal((count, 3, 4, 5)).astype(np.float32)
        with torch.no_grad():
            _, wanted = net.forward({"data": torch.from_numpy(data)})
        assert np.allclose(session.run(["warm"], {"data": data})[0], wanted["warm"], atol=1e-6)
    (tmp_path / "deploy.prototxt").write_text(DEPLOY.replace('layer: "mish"', 'layer: "Gains"'))
    net = open_net(tmp_path / "deploy.prototxt", caffe_pb.TEST, CaffeRng(1))
    with pytest.raises(GcnetError, match="computes with numpy"):
        convert(net)
