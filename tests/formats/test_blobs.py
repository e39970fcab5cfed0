"""Blobs are written and read in blocks: the same bytes as protobuf's own, number for number."""

import os
import struct

import numpy as np
import pytest

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats import blobs, caffe_pb, parse_text, read_weights
from gcnet_caffe.formats.blobs import Blob, blob_from_proto, numbers, set_numbers, with_blobs

#: Fields before the blobs (7), and after them; the blobs it has itself are left out.
LAYER = """
name: "fc/7" type: "InnerProduct" bottom: "a" top: "b" loss_weight: 0.5 param { lr_mult: 2 }
blobs { shape { dim: 1 } data: 3 } include { phase: TRAIN } phase: TEST propagate_down: true
transform_param { scale: 0.5 } inner_product_param { num_output: 3 }
"""
SHAPES = [(), (0,), (3,), (2, 3, 4), (40, 50), (2, 0, 3)]


def arrays():
    """Arrays of SHAPES, some not contiguous; every kind of float32 number."""
    random = np.random.RandomState(1)
    found = [np.asarray(random.randn(*shape), np.float32) for shape in SHAPES]
    found[2][:] = [np.nan, -0.0, 1e-45]
    return [*found, found[4].T, found[3][:, ::2]]


def by_protobuf(message, field, held):
    message.ClearField(field)
    for data, diff in held:
        blob = getattr(message, field).add()
        blob.shape.dim.extend(data.shape)
        blob.data.extend(data.reshape(-1))
        if diff is not None:
            blob.diff.extend(diff.reshape(-1))
    return message.SerializeToString()


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize(
    "kind, field, text",
    [
        (caffe_pb.LayerParameter, "blobs", LAYER),
        (caffe_pb.LayerParameter, "blobs", ""),
        (caffe_pb.SolverState, "history", 'iter: 300 learned_net: "m" current_step: 2'),
    ],
)
def test_every_byte_is_protobufs(kind, field, text, gradients):
    held = [Blob(array, array + 1 if gradients else None) for array in arrays()]
    message = parse_text(text, kind)
    found = b"".join(with_blobs(message, field, held))
    assert found == by_protobuf(message, field, held)


@pytest.mark.parametrize("array", arrays())
def test_numbers_come_back_bit_for_bit(array):
    message = caffe_pb.SolverState.FromString(
        b"".join(with_blobs(caffe_pb.SolverState(), "history", [Blob(array, -array)]))
    )
    found = blob_from_proto(message.history[0])
    assert found.shape == array.shape and found.flags.writeable
    assert found.tobytes() == array.tobytes()
    for read in (numbers, blobs._from_raw):  # with today's protobuf, and with older ones
        assert read(message.history[0], "data").tobytes() == array.tobytes()
        assert read(message.history[0], "diff").tobytes() == (-array).tobytes()


def test_numbers_that_are_replaced():
    blob = caffe_pb.BlobProto(num=1, channels=1, height=2, width=1, data=[1, 2], diff=[3])
    set_numbers(blob, "data", np.array([[5], [6]], np.float32))
    wanted = caffe_pb.BlobProto(num=1, channels=1, height=2, width=1, data=[5, 6], diff=[3])
    assert blob == wanted and blob.SerializeToString() == wanted.SerializeToString()


def test_blobs_of_other_writers():
    """Old axes, double_data beside data, and numbers that are not packed."""
    old = caffe_pb.BlobProto(num=1, channels=2, height=1, width=150, data=np.arange(300.0))
    assert np.array_equal(blob_from_proto(old).reshape(-1), np.arange(300))
    assert blob_from_proto(old).shape == (1, 2, 1, 150)
    double = caffe_pb.BlobProto(shape={"dim": [2]}, data=[1, 2], double_data=[0.1, 1e-60])
    assert blob_from_proto(double).tolist() == [np.float32(0.1), 0]
    assert blobs._from_raw(double, "double_data").tolist() == [np.float32(0.1), 0]
    loose = b"".join(b"\x2d" + struct.pack("<f", value) for value in (1.5, 2.5))  # key 5, 4 bytes
    found = caffe_pb.BlobProto.FromString(b"\x3a\x03\x0a\x01\x02" + loose)  # shape { dim: 2 }
    assert blob_from_proto(found).tolist() == [1.5, 2.5]
    with pytest.raises(ValueError):
        blob_from_proto(caffe_pb.BlobProto(shape={"dim": [3]}, data=[1, 2]))


def test_a_file_above_2_gb_is_refused(tmp_path):
    path = tmp_path / "big.caffemodel"
    path.touch()
    os.truncate(path, 2**31)  # a hole, which takes no place
    with pytest.raises(SchemaError, match="^.*big.caffemodel: above 2 GB, which is the most"):
        read_weights(path)
