"""Old nets and solvers come out as Caffe's own upgrade makes them."""

import json
from pathlib import Path

import pytest

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats import (
    caffe_pb,
    parse_text,
    read_net,
    read_solver,
    solver_nets,
    upgrade_net,
)
from tests.formats.old_nets import NETS


def test_a_v1_net_becomes_layers_with_string_types():
    net = parse_text(NETS["V1"], caffe_pb.NetParameter)
    upgrade_net(net)
    assert not net.layers
    assert [layer.type for layer in net.layer] == (
        "Data Convolution ReLU LRN TanH BNLL MVN AbsVal InnerProduct SigmoidCrossEntropyLoss "
        "SoftmaxWithLoss".split()
    )
    data, conv = net.layer[:2]
    assert (data.transform_param.scale, data.transform_param.crop_size) == (0.5, 4)
    assert not data.data_param.HasField("scale")
    assert [(p.name, p.lr_mult, p.decay_mult) for p in conv.param] == [("w", 1, 1), ("b", 2, 0)]


PADDED = """
input: "a" layers { layer { name: "p" type: "padding" pad: 1 } bottom: "a" top: "b" }
layers { layer { name: "c" type: "conv" } bottom: "b" top: "c" }
"""


def test_mixed_and_incomplete_nets_are_refused():
    for text, wanted in (
        ('layer { name: "a" } layers { name: "b" }', "both 'layer' and 'layers'"),
        ('input: "a" input: "b" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4', "2 inputs"),
        ('layers { name: "b" type: NONE }', "type NONE"),
        ('layers { layer { name: "b" type: "deconv" } }', "'b': Unknown layer name: 'deconv'"),
        ('layers { layer { name: "b" type: "relu" } bottom: "a" }', "Unknown blob input 'a'"),
        (PADDED.replace("conv", "relu"), "type 'relu' behind a padding layer"),
        (PADDED.replace('top: "c"', 'bottom: "a" top: "c"'), "one bottom and top each"),
    ):
        with pytest.raises(SchemaError, match=wanted):
            upgrade_net(parse_text(text, caffe_pb.NetParameter))


def test_solver_type_enum_becomes_the_type_string(tmp_path):
    path = tmp_path / "s.prototxt"
    path.write_text("solver_type: NESTEROV base_lr: 0.1")
    solver = read_solver(path)
    assert solver.type == "Nesterov" and not solver.HasField("solver_type")
    path.write_text('solver_type: SGD type: "SGD"')
    with pytest.raises(SchemaError, match="both 'solver_type' and 'type'"):
        read_solver(path)


def test_an_old_net_inside_of_a_solver_is_upgraded():
    """Caffe 1.0 forgets to: its examples/mnist/lenet_consolidated_solver.prototxt has no layer."""
    net = 'layers { name: "ip" type: INNER_PRODUCT bottom: "d" top: "ip" blobs_lr: 3 }'
    solver = parse_text(
        f"net_param {{ {net} }} test_iter: 1 test_interval: 1", caffe_pb.SolverParameter
    )
    for source in (solver_nets.train_net(solver, "s"), *solver_nets.test_nets(solver, "s")):
        (layer,) = source.param.layer
        assert (layer.type, layer.param[0].lr_mult) == ("InnerProduct", 3)
    assert solver.net_param.layers  # the solver's message stays as it is


@pytest.mark.caffe
def test_upgrades_equal_real_caffes(caffe, tmp_path):
    """Caffe's upgrade_net_proto_text writes the same message that our reader makes."""
    for name, text in NETS.items():
        (tmp_path / f"{name}.prototxt").write_text(text)
        command = ["upgrade_net_proto_text", f"{name}.prototxt", f"{name}_new.prototxt"]
        caffe.run(command, tmp_path, check=False)  # it fails where it leaves out a field of V0
        theirs = parse_text((tmp_path / f"{name}_new.prototxt").read_text(), caffe_pb.NetParameter)
        assert read_net(tmp_path / f"{name}.prototxt") == theirs, name


#: (solver file, snapshot_prefix or None): what real Caffe makes of it; `snaps` is a folder.
PREFIXES = {
    ("solver.prototxt", None): "solver",
    ("my.solver.prototxt", None): "my.solver",
    ("solver", None): "solver",
    ("sub.d/solver", None): "sub.d/solver",
    ("./sub.d//other.txt", None): "./sub.d//other",
    (".prototxt", None): "",
    ("ends.", None): "ends",
    ("solver.prototxt", ""): "",
    ("solver.prototxt", "m"): "m",
    ("solver.prototxt", "snaps"): "snaps/solver",
    ("sub.d/a.b.prototxt", "snaps/"): "snaps/a.b",
    ("solver.prototxt", "link/"): "link/solver",
    ("solver.prototxt", "."): "./solver",
    (".prototxt", "snaps"): "snaps",
    (".prototxt", "snaps/"): "snaps/",
}


@pytest.fixture
def solvers(tmp_path, monkeypatch):
    """The text of the solver of each of PREFIXES, in the folder that they are for."""
    monkeypatch.chdir(tmp_path)
    for name in ("sub.d", "snaps"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("snaps")
    net = 'layer { name: "a" type: "DummyData" top: "a" dummy_data_param { shape { dim: 1 } } }'
    (tmp_path / "net.prototxt").write_text(net)
    text = 'net: "net.prototxt" base_lr: 1 lr_policy: "fixed"'
    return [
        text if prefix is None else f'{text} snapshot_prefix: "{prefix}"' for _, prefix in PREFIXES
    ]


def test_a_snapshot_prefix_that_is_missing_or_a_folder(solvers, tmp_path):
    for (name, _), text, wanted in zip(PREFIXES, solvers, PREFIXES.values()):
        Path(name).write_text(text)
        assert read_solver(name).snapshot_prefix == wanted
    assert read_solver(tmp_path / "solver").snapshot_prefix == str(tmp_path / "solver")


SNAPSHOTS = """
import json, os, caffe
for name, text, prefix in json.load(open("solvers.json")):
    with open(name, "w") as file:
        file.write(text)
    caffe.get_solver(name).snapshot()
    os.remove(prefix + "_iter_0.caffemodel")
"""


@pytest.mark.caffe
def test_snapshot_prefixes_are_real_caffes(solvers, caffe, tmp_path):
    rows = [(name, *row) for (name, _), row in zip(PREFIXES, zip(solvers, PREFIXES.values()))]
    (tmp_path / "solvers.json").write_text(json.dumps(rows))
    caffe.run_python(SNAPSHOTS, tmp_path)
    assert not list(tmp_path.rglob("*.caffemodel"))
