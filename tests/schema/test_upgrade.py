"""Old nets and solvers come out as Caffe's own upgrade makes them."""

import pytest

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.schema import caffe_pb, parse_text, read_net, read_solver, upgrade_net
from tests.schema.old_nets import NETS


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


def test_mixed_and_incomplete_nets_are_refused():
    for text, wanted in (
        ('layer { name: "a" } layers { name: "b" }', "both 'layer' and 'layers'"),
        ('input: "a" input: "b" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 4', "2 inputs"),
        ('layers { name: "b" type: NONE }', "type NONE"),
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


@pytest.mark.caffe
def test_upgrades_equal_real_caffes(caffe, tmp_path):
    """Caffe's upgrade_net_proto_text writes the same message that our reader makes."""
    for name, text in NETS.items():
        (tmp_path / f"{name}.prototxt").write_text(text)
        caffe.run(
            ["upgrade_net_proto_text", f"{name}.prototxt", f"{name}_new.prototxt"], cwd=tmp_path
        )
        theirs = parse_text((tmp_path / f"{name}_new.prototxt").read_text(), caffe_pb.NetParameter)
        assert read_net(tmp_path / f"{name}.prototxt") == theirs, name
