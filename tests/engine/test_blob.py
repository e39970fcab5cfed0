"""A blob's arrays are its memory, whatever shape it gets and whoever shares it."""

import numpy as np
import pytest
import torch

from gcnet_caffe.engine.blob import Blob
from gcnet_caffe.engine.layers import TRAIN, Context
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.errors import NetError
from gcnet_caffe.formats import caffe_pb, parse_text
from gcnet_caffe.pycaffe.executor import Executor


def test_what_is_written_is_there() -> None:
    blob = Blob((2, 3))
    blob.data[1, 2], blob.diff[0, 0] = 5, 7
    assert blob.tensor[1, 2] == 5 and blob.gradient[0, 0] == 7
    assert (blob.num, blob.channels, blob.height, blob.width, blob.count) == (2, 3, 1, 1, 6)
    with pytest.raises(NetError, match="wanted a blob of 4 axes at most"):
        _ = Blob((1, 1, 1, 1, 1)).width


def test_a_smaller_shape_keeps_the_memory() -> None:
    blob = Blob((2, 3))
    array = blob.data
    array[...] = np.arange(6).reshape(2, 3)
    blob.reshape(4)
    assert blob.data.tolist() == [0, 1, 2, 3] and np.shares_memory(blob.data, array)
    blob.reshape(3, 2)
    assert np.shares_memory(blob.data, array)
    blob.reshape(7)
    assert not blob.data.any() and not np.shares_memory(blob.data, array)
    with pytest.raises(NetError, match="wanted sizes of 0 or more"):
        blob.reshape(2, -1)


def test_a_learnable_blob_is_the_layers_parameter() -> None:
    text = """layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2
      dim: 3 } } }
    layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {
      num_output: 2 } }"""
    param = parse_text(text, caffe_pb.NetParameter)
    param.state.phase = TRAIN
    net = Net(param, Context(phase=TRAIN, rng=CaffeRng(1)))
    weights, bias = Executor(net, torch.device("cpu")).units[1].blobs
    weights.data[...], weights.diff[0, 0] = 2, 3
    of_torch = net.layers[1].blobs[0]
    assert (of_torch == 2).all() and of_torch.grad[0, 0] == 3
    other = Blob((2, 3))
    weights.share_data(other)
    other.data[...] = 4
    assert (of_torch == 4).all() and net.learnable[0].param is of_torch
    bias.reshape(1, 2)
    assert net.layers[1].blob(1).shape == (1, 2) and bias.data.shape == (1, 2)
