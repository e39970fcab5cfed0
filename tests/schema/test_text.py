"""Prototxts as text: round trip, and one clear line for each kind of mistake."""

import pytest

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.schema import (
    caffe_pb,
    parse_text,
    read_binary,
    read_net,
    read_weights,
    to_text,
    write_binary,
)


def test_round_trip_keeps_every_field():
    net = caffe_pb.NetParameter(name="n")
    layer = net.layer.add(name="a", type="Power", bottom=["x"], top=["y"], loss_weight=[0.25])
    layer.power_param.shift = 1e-6
    layer.include.add(phase=caffe_pb.TRAIN)
    text = to_text(net)
    assert parse_text(text, caffe_pb.NetParameter) == net
    assert "shift: 1e-06" in text and "phase: TRAIN" in text and "loss_weight: 0.25" in text


@pytest.mark.parametrize(
    "text, wanted",
    [
        (
            'layer {\n  naem: "a"\n}',
            "f:2: LayerParameter has no field 'naem'; did you mean 'name'?",
        ),
        ("layer {\n  phase: TRIAN\n}", "f:2: "),
        ('layer {\n  name: "a\n}', "f:2: "),
        ("layer {\n  convolution_param { kernel_sizes: 3 }\n}", "did you mean 'kernel_size'?"),
        ('layers { layer { name: "x" } }', "V0 syntax"),
        ("layer {", "f:1"),
        ("layer { name: 3 }", "f:1: Expected string"),
    ],
)
def test_a_mistake_names_file_and_line(text, wanted):
    with pytest.raises(SchemaError) as error:
        parse_text(text, caffe_pb.NetParameter, "f")
    assert wanted in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_not_prototxts(tmp_path):
    with pytest.raises(SchemaError, match="missing.prototxt: No such file"):
        read_net(tmp_path / "missing.prototxt")
    (tmp_path / "b.prototxt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SchemaError, match="b.prototxt: not text"):
        read_net(tmp_path / "b.prototxt")


def test_weights_binary_round_trip_and_truncation(tmp_path):
    net = caffe_pb.NetParameter(name="n")
    blob = net.layer.add(name="fc", type="InnerProduct").blobs.add()
    blob.shape.dim.extend([2, 3])
    blob.data.extend([0.5, -1, 2, 3, 4, 5])
    path = tmp_path / "w.caffemodel"
    write_binary(path, net)
    assert read_weights(path) == net
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(SchemaError, match="w.caffemodel: truncated, or not a binary NetParameter"):
        read_binary(path, caffe_pb.NetParameter)
