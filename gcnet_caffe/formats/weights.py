"""Weights: .caffemodel files, binary or HDF5, as NetParameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gcnet_caffe.formats._io import read_binary
from gcnet_caffe.formats._messages import caffe_pb
from gcnet_caffe.formats.blobs import set_numbers
from gcnet_caffe.formats.hdf5 import holds_hdf5, read_layers
from gcnet_caffe.formats.upgrade import upgrade_net


def read_weights(path: str | Path) -> Any:
    """Read a .caffemodel: a NetParameter whose layers carry blobs, upgraded to today's form.

    Parameters
    ----------
    path : str or Path
        Binary or HDF5: by what the file starts with, as in Caffe. Of HDF5 the layers have a name
        and blobs, and nothing else; the blob of another layer, shared, is an empty message.

    Raises
    ------
    SchemaError, WeightsError
        It is missing, or not such a file.
    """
    if holds_hdf5(path):
        return _from_hdf5(path)
    net = read_binary(path, caffe_pb.NetParameter)
    upgrade_net(net, path)
    return net


def _from_hdf5(path: str | Path) -> Any:
    net = caffe_pb.NetParameter()
    for name, blobs in read_layers(path):
        layer = net.layer.add(name=name)
        for index in range(max(blobs, default=-1) + 1):
            blob = layer.blobs.add()
            if index in blobs:
                blob.shape.dim.extend(blobs[index].shape)
                set_numbers(blob, "data", blobs[index])
    return net
