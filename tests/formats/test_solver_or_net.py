"""A prototxt is a solver's or a net's by its fields, however it is laid out."""

import pytest

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats.solver_or_net import read_solver_or_net

LAYER = 'layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 1 } } }'


@pytest.mark.parametrize(
    "text, kind",
    [
        ('net: "net.prototxt"', "SolverParameter"),
        (f"base_lr: 1\nnet_param {{\n{LAYER}\n}}", "SolverParameter"),
        ("# layer { }\nmax_iter: 1", "SolverParameter"),
        ("debug_info: true test_iter: 1", "SolverParameter"),
        (LAYER, "NetParameter"),
        (f'name: "base_lr: 1"  {LAYER}', "NetParameter"),
        (f"debug_info: true {LAYER}", "NetParameter"),
        ('layers { name: "a" type: RELU bottom: "b" top: "b" }', "NetParameter"),
        ('input: "data" input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1', "NetParameter"),
    ],
)
def test_which_it_is(text, kind, tmp_path):
    path = tmp_path / "some.prototxt"
    path.write_text(text)
    assert read_solver_or_net(path).DESCRIPTOR.name == kind


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "some.prototxt: neither a solver nor a net"),
        ("debug_info: true", "neither a solver nor a net"),
        ("key: value", "neither a solver nor a net"),
        (f"base_lr: 1 max_iter: 2 {LAYER}", "looks like a solver, and 'layer' is a field of a net"),
        (f'name: "a" {LAYER} base_lr: 1', "looks like a net, and 'base_lr' is a field of a solver"),
        ("base_lr: 1 max_iters: 2", "SolverParameter has no field 'max_iters'"),
        (f"{LAYER} naem: 1", "NetParameter has no field 'naem'"),
        ("base_lr: 1 max_iter: {", "some.prototxt:1"),
    ],
)
def test_what_is_neither(text, message, tmp_path):
    path = tmp_path / "some.prototxt"
    path.write_text(text)
    with pytest.raises(SchemaError, match=message):
        read_solver_or_net(path)
