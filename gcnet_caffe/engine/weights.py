"""Weights: .caffemodel files, binary or HDF5, as Caffe writes and reads them.

Source: Caffe src/caffe/net.cpp (CopyTrainedLayersFrom..., ToProto, ToHDF5), src/caffe/blob.cpp.
"""

import numpy as np
import torch

from gcnet_caffe import files
from gcnet_caffe.engine.hdf5 import is_hdf5, opened
from gcnet_caffe.errors import SchemaError, WeightsError
from gcnet_caffe.schema import caffe_pb, read_weights
from gcnet_caffe.schema.blobs import OLD_AXES, Blob, blob_from_proto, embedded, with_blobs


def read_caffemodel(path):
    """Return [(layer name, {blob index: float32 array}, whether of old 4-axis blobs), ...].

    Raises
    ------
    WeightsError
        The file cannot be read, or is no caffemodel.
    """
    if is_hdf5(path):
        return _read_hdf5(path)
    try:
        net = read_weights(path)
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
        raise WeightsError(f"{path}: holds no weights; wanted a .caffemodel")
    return found


def _read_hdf5(path):
    with opened(path) as file:
        layers = file["data"]
        return [
            (
                name,
                {int(key): np.array(layers[name][key], np.float32) for key in layers[name]},
                False,
            )
            for name in layers
        ]


def copy_weights(net, path, log):
    """Copy the weights of the file at `path` into the layers of `net` with the same names.

    Raises
    ------
    WeightsError
        The file cannot be read; or number or shape of a layer's blobs differ.
    """
    log(f"Finetuning from {path}")
    layers = {layer.name: layer for layer in net.layers}
    for name, blobs, old in read_caffemodel(path):
        layer = layers.get(name)
        if layer is None:
            log(f"Ignoring source layer {name}")
            continue
        shared = is_hdf5(path)  # there only the owner of a shared blob has it
        if len(blobs) > len(layer.blobs) or (len(blobs) < len(layer.blobs) and not shared):
            raise WeightsError(
                f"{path}: Incompatible number of blobs for layer {name!r}: found {len(blobs)}, "
                f"{net.origin} wants {len(layer.blobs)}"
            )
        for index, array in blobs.items():
            _copy_blob(layer, index, array, old, path)


def _copy_blob(layer, index, array, old, path):
    wanted = layer.blob_shapes[index] if index < len(layer.blobs) else None
    found = array.shape
    if old and wanted is not None and len(wanted) <= 4:
        found = found if (1,) * (4 - len(wanted)) + wanted != found else wanted
    if found != wanted:
        raise WeightsError(
            f"{path}: Cannot copy param {index} weights from layer '{layer.name}'; shape mismatch. "
            f"Source param shape is {array.shape}; target param shape is {wanted}. To learn this "
            "layer's parameters from scratch rather than copying, rename the layer."
        )
    with torch.no_grad():
        blob = layer.blobs[index]
        blob.copy_(torch.from_numpy(array).reshape(blob.shape))


def write_caffemodel(net, path, diff=False):
    """Write the weights of `net` to `path`, whole or not at all.

    Parameters
    ----------
    path : str
        Ending in .h5 for HDF5.
    diff : bool
        Whether to write the gradients too (snapshot_diff).
    """
    if is_hdf5(path):
        _write_hdf5(net, path, diff)
        return
    number = caffe_pb.NetParameter.DESCRIPTOR.fields_by_name["layer"].number
    with files.atomic(path, overwrite=True) as scratch, open(scratch, "wb") as file:
        file.write(caffe_pb.NetParameter(name=net.name).SerializeToString())
        for layer in net.layers:
            blobs = (
                Blob(_array(layer, index), _diff(layer, index, diff))
                for index in range(len(layer.blobs))
            )
            file.writelines(embedded(number, with_blobs(layer.param, "blobs", blobs)))


def _array(layer, index):
    return layer.blob(index).detach().cpu().contiguous().numpy()


def _diff(layer, index, wanted):
    if not wanted:
        return None
    gradient = layer.blobs[index].grad
    if gradient is None:
        return np.zeros(layer.blob_shapes[index], np.float32)
    return gradient.cpu().contiguous().numpy().reshape(layer.blob_shapes[index])


def _write_hdf5(net, path, diff):
    with files.atomic(path, overwrite=True) as scratch, opened(scratch, "w") as file:
        groups = [file.create_group("data")] + ([file.create_group("diff")] if diff else [])
        seen = set()
        for layer in net.layers:
            places = [group.create_group(layer.name) for group in groups]
            for index, blob in enumerate(layer.blobs):
                if id(blob) not in seen:
                    places[0].create_dataset(str(index), data=_array(layer, index))
                seen.add(id(blob))
                if diff:
                    places[1].create_dataset(str(index), data=_diff(layer, index, True))
