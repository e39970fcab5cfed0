"""Weights: .caffemodel files, binary or HDF5, as Caffe writes and reads them.

Source: Caffe src/caffe/net.cpp (CopyTrainedLayersFrom..., ToProto, ToHDF5), src/caffe/blob.cpp.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable

import numpy as np
import torch
from numpy.typing import NDArray

from gcnet_caffe import files
from gcnet_caffe.errors import SchemaError, WeightsError
from gcnet_caffe.formats import caffe_pb, read_weights
from gcnet_caffe.formats.blobs import OLD_AXES, Blob, blob_from_proto, embedded, with_blobs
from gcnet_caffe.formats.hdf5 import Path, holds_hdf5, is_hdf5, opened, read_layers
from gcnet_caffe.formats.snapshots import check_hdf5_names

if TYPE_CHECKING:
    from gcnet_caffe.engine.layers.base import Layer
    from gcnet_caffe.engine.net import Net


def read_caffemodel(path: Path) -> list[tuple[str, dict[int, NDArray[np.float32]], bool]]:
    """Return the layers of the .caffemodel at `path` (binary or HDF5), in its order.

    Returns
    -------
    list of (str, dict, bool)
        Layer name, {blob index: float32 array in the blob's shape}, and whether a blob is of the
        old form with 4 axes.

    Raises
    ------
    WeightsError
        The file cannot be read, or is no caffemodel.
    """
    if holds_hdf5(path):
        return [(name, blobs, False) for name, blobs in read_layers(path)]
    try:
        net = read_weights(os.fspath(path))
    except SchemaError as error:
        raise WeightsError(str(error)) from None
    found = []
    for layer in net.layer:
        blobs, old = {}, False
        for index, blob in enumerate(layer.blobs):
            old = old or any(blob.HasField(axis) for axis in OLD_AXES)
            try:
                blobs[index] = blob_from_proto(blob)
            except ValueError as error:
                raise WeightsError(f"{path}: layer {layer.name!r}, blob {index}: {error}") from None
        found.append((layer.name, blobs, old))
    if not any(blobs for _, blobs, _ in found):
        raise WeightsError(f"{path}: has no weights; wanted a .caffemodel")
    return found


def copy_weights(net: Net, path: Path, log: Callable[[str], None]) -> set[str]:
    """Copy the weights of the file at `path` into the layers of `net` with the same names.

    Of several layers of one name the first is meant, in an HDF5 file the last, as in Caffe.

    Parameters
    ----------
    net : Net
    path : path
        A .caffemodel, binary or HDF5: by what the file starts with.
    log : callable
        Takes Caffe's lines: the file, and each layer of it that the net does not have.

    Returns
    -------
    set of str
        The names of the layers that have blobs in the file.

    Raises
    ------
    WeightsError
        The file cannot be read; or number or shape of a layer's blobs differ.
    """
    log(f"Finetuning from {path}")
    in_hdf5, owned = holds_hdf5(path), _owned(net)
    in_order = list(net.layers) if in_hdf5 else reversed(list(net.layers))
    layers = {layer.name: layer for layer in in_order}
    saved = read_caffemodel(path)
    for name, blobs, old in saved:
        layer = layers.get(name)
        if layer is None:
            log(f"Ignoring source layer {name}")
            continue
        places = range(len(layer.blobs))
        # in HDF5 only the owner of a shared blob has it
        needed = {index for index in places if not in_hdf5 or (layer, index) in owned}
        if not needed <= blobs.keys() <= set(places):
            raise WeightsError(
                f"{path}: Incompatible number of blobs for layer {name!r}: found {len(blobs)}, "
                f"{net.origin} needs {len(layer.blobs)}"
            )
        for index, array in blobs.items():
            _copy_blob(layer, index, array, old, path)
    return {name for name, blobs, _ in saved if blobs}


#: What to do where a net that is to be trained has a layer of another shape.
_RENAME = "; to train this layer from scratch, rename it"


def _copy_blob(layer: Layer, index: int, array: NDArray[np.float32], old: bool, path: Path) -> None:
    wanted, found = layer.blob_shapes[index], array.shape
    if found != wanted and not (old and found == (1,) * (4 - len(wanted)) + wanted):
        advice = _RENAME if layer.context.phase == caffe_pb.TRAIN else ""
        raise WeightsError(
            f"{path}: layer {layer.name!r}, blob {index}: found shape {found}, "
            f"{layer.context.origin} has {wanted}{advice}"
        )
    with torch.no_grad():
        blob = layer.blobs[index]
        blob.copy_(torch.from_numpy(array).reshape(blob.shape))


def write_caffemodel(net: Net, path: Path, diff: bool = False) -> None:
    """Write the weights of `net` to `path`, whole or not at all.

    Parameters
    ----------
    net : Net
    path : path
        Ending in .h5 for HDF5.
    diff : bool
        Whether to write the gradients too (snapshot_diff).

    Raises
    ------
    NetError
        HDF5 cannot hold a layer's name.
    """
    (write_hdf5 if is_hdf5(path) else write_binary)(net, path, diff)


def write_binary(net: Net, path: Path, diff: bool = False) -> None:
    """As `write_caffemodel`, in binary form whatever the name ends in."""
    number = caffe_pb.NetParameter.DESCRIPTOR.fields_by_name["layer"].number
    with files.atomic(path, overwrite=True) as scratch, open(scratch, "wb") as file:
        file.write(caffe_pb.NetParameter(name=net.name).SerializeToString())
        for layer in net.layers:
            blobs = (
                Blob(_array(layer, index), _diff(layer, index) if diff else None)
                for index in range(len(layer.blobs))
            )
            file.writelines(embedded(number, with_blobs(layer.param, "blobs", blobs)))


def _owned(net: Net) -> set[tuple[Layer, int]]:
    """Return (layer, blob index) of every blob that is not another layer's, shared."""
    return {(learnable.owner, learnable.index) for learnable in net.learnable}


def _array(layer: Layer, index: int) -> NDArray[np.float32]:
    return layer.blob(index).detach().cpu().contiguous().numpy()


def _diff(layer: Layer, index: int) -> NDArray[np.float32]:
    gradient: torch.Tensor | None = layer.blobs[index].grad
    if gradient is None:
        return np.zeros(layer.blob_shapes[index], np.float32)
    return gradient.cpu().contiguous().numpy().reshape(layer.blob_shapes[index])


def write_hdf5(net: Net, path: Path, diff: bool = False) -> None:
    """As `write_caffemodel`, in HDF5 whatever the name ends in."""
    check_hdf5_names((layer.name for layer in net.layers), net.origin)
    with files.atomic(path, overwrite=True) as scratch, opened(scratch, "w") as file:
        groups = [file.create_group("data")] + ([file.create_group("diff")] if diff else [])
        owned = _owned(net)
        for layer in net.layers:
            places = [group.create_group(layer.name) for group in groups]
            for index in range(len(layer.blobs)):
                if (layer, index) in owned:
                    places[0].create_dataset(str(index), data=_array(layer, index))
                if diff:
                    places[1].create_dataset(str(index), data=_diff(layer, index))
