"""Files of other Caffes: their fields in prototxts, and their .caffemodels with other numbers."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from gcnet_caffe.engine.layers import TEST
from gcnet_caffe.engine.net import open_net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.weights import copy_weights, read_caffemodel, write_caffemodel
from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats import caffe_pb, parse_text, read_net, read_weights, to_text
from gcnet_caffe.formats._messages import _compiled
from gcnet_caffe.formats.blobs import embedded

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [1, 2, 4, 4] } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 2 kernel_size: 1 engine: MKLDNN } }
layer { name: "bn" type: "BN" bottom: "conv" top: "bn" bn_param { slope_filler { value: 2 } } }
layer { name: "up" type: "Upsample" bottom: "bn" top: "up" upsample_param { scale: 3 } }
"""


def _messages(file: descriptor_pb2.FileDescriptorProto) -> dict[str, dict[str, int]]:
    """Return {message: {field or value: number}} of a FileDescriptorProto."""
    found: dict[str, dict[str, int]] = {}
    for message in file.message_type:
        found[message.name] = {field.name: field.number for field in message.field}
        for enum in message.enum_type:
            found[f"{message.name}.{enum.name}"] = {one.name: one.number for one in enum.value}
    return found


def test_numbers_of_ours_in_caffes_messages_are_of_no_caffe() -> None:
    """But for NVIDIA's in BlobProto. A name of forks.proto is none of caffe.proto."""
    caffe, forks = (_messages(_compiled(f"{name}.desc")) for name in ("caffe", "forks"))
    shared = set(caffe) & set(forks)
    assert {"LayerParameter", "LossParameter.NormalizationMode", "BlobProto"} <= shared
    for message in shared:
        assert not set(caffe[message]) & set(forks[message]), message
        numbers = forks[message].values()
        assert not set(numbers) & set(caffe[message].values()), message
        assert message == "BlobProto" or min(numbers, default=20001) > 20000, message
        known = getattr(caffe_pb, message.split(".")[0]).DESCRIPTOR
        if "." not in message:
            for name, number in {**caffe[message], **forks[message]}.items():
                assert known.fields_by_name[name].number == number


def layer_bytes(name: str, blob: bytes, more: bytes) -> bytes:
    """Return a LayerParameter as another Caffe writes it."""
    pieces = [b"".join(embedded(1, [name.encode()])), b"".join(embedded(7, [blob])), more]
    return b"".join(embedded(100, pieces))


def test_a_caffemodel_whose_numbers_mean_other_things_is_read(tmp_path: Path) -> None:
    """In BVLC's 147 is swish_param, a message: here it is text, and a number, and cut short."""
    blob = caffe_pb.BlobProto(data=[1, 2, 3])
    blob.shape.dim.append(3)
    others = [
        b"".join(embedded(147, [b"\xff\xff\xff"])),
        bytes([147 << 3 & 127 | 128, 147 >> 4, 5]),
        b"".join(embedded(202, [b"\x00"])) + b"".join(embedded(20112, [b"\x07"])),
    ]
    data = b"".join(
        layer_bytes(f"l{index}", blob.SerializeToString(), more)
        for index, more in enumerate(others)
    )
    with pytest.raises(DecodeError):
        caffe_pb.NetParameter.FromString(data)
    (tmp_path / "x.caffemodel").write_bytes(data)
    net = read_weights(tmp_path / "x.caffemodel")
    assert [layer.name for layer in net.layer] == ["l0", "l1", "l2"]
    for layer in net.layer:
        assert [field.name for field, _ in layer.ListFields()] == ["name", "blobs"]
    found = read_caffemodel(tmp_path / "x.caffemodel")
    assert all(blobs[0].tolist() == [1, 2, 3] for _, blobs, _ in found)
    for cut in (len(data) - 1, len(data) - 8, 1, 30):
        (tmp_path / "x.caffemodel").write_bytes(data[:cut])
        with pytest.raises(SchemaError, match="truncated, or not a binary NetParameter"):
            read_weights(tmp_path / "x.caffemodel")


def test_a_caffemodel_has_the_net_that_was_trained(tmp_path: Path) -> None:
    text = """
    layer { name: "c" type: "Convolution" convolution_param { num_output: 3 kernel_size: 5 } }
    layer { name: "n" type: "BatchNorm" batch_norm_param { eps: 0.25 } }
    layer { name: "s" type: "Scale" scale_param { bias_term: true } }
    layer { name: "r" type: "LSTM" recurrent_param { num_output: 7 } }
    layer { name: "v" type: "Swish" swish_param { beta: 2 } }
    layer { name: "p" type: "Permute" permute_param { order: 1 order: 0 } }
    """
    net = parse_text(text, caffe_pb.NetParameter)
    path = tmp_path / "x.caffemodel"
    path.write_bytes(net.SerializeToString())
    assert read_weights(path) == net
    # another Caffe's parameter at a number of BVLC's: a message that is none, or another type's
    for type_name, inside in (("Swish", b"\xff"), ("Mish", b"\x0d\x00\x00\x80\x3f")):
        layer = b"".join(embedded(2, [type_name.encode()])) + b"".join(embedded(147, [inside]))
        path.write_bytes(b"".join(embedded(100, [layer])))
        assert read_weights(path).layer[0] == caffe_pb.LayerParameter(type=type_name)


def test_an_old_net_of_another_caffe_is_read(tmp_path: Path) -> None:
    """`layers { }`: a type number that BVLC's does not have, and a field of its own."""
    blob = caffe_pb.BlobProto(num=1, channels=1, height=1, width=2, data=[4, 5])
    layer = b"".join(
        [*embedded(4, [b"a"]), b"\x28\xe7\x07", *embedded(6, [blob.SerializeToString()])]
    )
    data = b"".join(embedded(2, [layer, b"".join(embedded(43, [b"\xff"]))]))
    (tmp_path / "x.caffemodel").write_bytes(data)
    ((name, blobs, old),) = read_caffemodel(tmp_path / "x.caffemodel")
    assert (name, blobs[0].tolist(), old) == ("a", [[[[4, 5]]]], True)


@pytest.mark.parametrize("kind, number", [("<f8", 0), ("<f4", 1), ("<f2", 2)])
def test_nvidias_raw_numbers_are_read(kind: str, number: int, tmp_path: Path) -> None:
    values = np.array([[1.5, -2], [0.25, 3]])
    net = caffe_pb.NetParameter()
    blob = net.layer.add(name="a").blobs.add()
    blob.shape.dim.extend([2, 2])
    blob.raw_data, blob.raw_data_type = values.astype(kind).tobytes(), number
    (tmp_path / "x.caffemodel").write_bytes(net.SerializeToString())
    ((_, blobs, _),) = read_caffemodel(tmp_path / "x.caffemodel")
    assert blobs[0].dtype == np.float32 and np.array_equal(blobs[0], values)


def written(folder: Path) -> tuple[Path, Path]:
    """Return NET and a .caffemodel of it, of random numbers."""
    net, weights = folder / "net.prototxt", folder / "x.caffemodel"
    net.write_text(NET)
    engine = open_net(net, TEST, CaffeRng(0))
    with torch.no_grad():
        for blob in engine.parameters():
            blob.uniform_(0.5, 1)
    write_caffemodel(engine, weights)
    return net, weights


def test_a_caffemodel_of_ours_with_their_layers_is_read_again(tmp_path: Path) -> None:
    net, weights = written(tmp_path)
    first, second = (open_net(net, TEST, CaffeRng(0)) for _ in range(2))
    copy_weights(first, weights, lambda text: None)
    write_caffemodel(first, tmp_path / "y.caffemodel")
    assert (tmp_path / "y.caffemodel").read_bytes() == weights.read_bytes()
    copy_weights(second, tmp_path / "y.caffemodel", lambda text: None)
    bottom = {"data": torch.ones(1, 2, 4, 4)}
    with torch.no_grad():
        tops = [one.blobs(bottom)["up"] for one in (first, second)]
    assert torch.equal(*tops) and tops[0].shape == (1, 2, 12, 12) and tops[0].std() > 0
    whole = caffe_pb.NetParameter.FromString(weights.read_bytes())
    assert whole.layer[2].bn_param.slope_filler.value == 2  # what a reader of all fields finds


@pytest.mark.caffe
def test_real_caffe_reads_the_layers_of_it_that_it_has(caffe: ModuleType, tmp_path: Path) -> None:
    _, weights = written(tmp_path)
    theirs = parse_text(NET, caffe_pb.NetParameter)
    del theirs.layer[2:]
    theirs.layer[1].convolution_param.ClearField("engine")
    (tmp_path / "conv.prototxt").write_text(to_text(theirs))
    script = (
        "import caffe, numpy; net = caffe.Net('conv.prototxt', 'x.caffemodel', caffe.TEST); "
        "numpy.save('found.npy', net.params['conv'][0].data)"
    )
    caffe.run_python(script, tmp_path)
    wanted = dict((name, blobs) for name, blobs, _ in read_caffemodel(weights))["conv"][0]
    assert np.array_equal(np.load(tmp_path / "found.npy"), wanted) and wanted.std() > 0


@pytest.mark.parametrize("mode, size", [("false", 3), ("true", 4)])
def test_ceil_mode_is_round_mode(mode: str, size: int, tmp_path: Path) -> None:
    text = NET.split("\n")[1].replace("4, 4", "8, 8") + (
        'layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" pooling_param { '
        "kernel_size: 3 stride: 2 ceil_mode: %s %s } }"
    )
    (tmp_path / "net.prototxt").write_text(text % (mode, ""))
    param = read_net(tmp_path / "net.prototxt").layer[1].pooling_param
    assert not param.HasField("ceil_mode")
    assert param.round_mode == (param.CEIL if mode == "true" else param.FLOOR)
    net = open_net(tmp_path / "net.prototxt", TEST, CaffeRng(0))
    assert net.shape("pool") == (1, 2, size, size)
    other = "FLOOR" if mode == "true" else "CEIL"
    (tmp_path / "net.prototxt").write_text(text % (mode, f"round_mode: {other}"))
    with pytest.raises(SchemaError, match="layer 'pool': ceil_mode and round_mode differ"):
        read_net(tmp_path / "net.prototxt")
