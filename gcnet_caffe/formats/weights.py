"""Weights: .caffemodel files, binary or HDF5, as NetParameters."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from gcnet_caffe.errors import SchemaError, WeightsError
from gcnet_caffe.formats._io import read_bytes
from gcnet_caffe.formats._messages import caffe_pb
from gcnet_caffe.formats.blobs import fields, set_numbers
from gcnet_caffe.formats.hdf5 import holds_hdf5, read_layers
from gcnet_caffe.formats.upgrade import upgrade_net

#: The fields of layers whose numbers mean the same in every Caffe: those that were there when
#: others began to add their own. Of later ones a layer has at most that of its own type.
_KNOWN = {
    "LayerParameter": {*range(1, 12), *range(100, 131)},
    "V1LayerParameter": {*range(1, 43), 1001, 1002},
}
_RECURRENT = ("LSTM", "RNN")

#: The layers that have weights, whatever their fields say.
_WITH_WEIGHTS = frozenset(
    "BatchNorm Convolution Deconvolution Embed InnerProduct LSTM PReLU Parameter RNN".split()
    # of other Caffes
    + "BN CenterLoss ConvolutionDepthwise DepthwiseConvolution InnerProductAsProb".split()
    + ["MarginInnerProduct"]
)


def read_weights(path: str | Path) -> Any:
    """Read a .caffemodel: a NetParameter whose layers carry blobs, upgraded to today's form.

    Parameters
    ----------
    path : str or Path
        Binary or HDF5: by what the file starts with, as in Caffe. Of HDF5 the layers have a name
        and blobs, and nothing else; the blob of another layer, shared, is an empty message. Of a
        binary file, a field that can be another one in another Caffe is left out.

    Raises
    ------
    SchemaError, WeightsError
        It is missing, or not such a file.
    """
    if holds_hdf5(path):
        return _from_hdf5(path)
    net = caffe_pb.NetParameter()
    try:
        _read_known(net, memoryview(read_bytes(path)))
    except (DecodeError, IndexError, ValueError):
        raise SchemaError(f"{path}: truncated, or not a binary NetParameter") from None
    upgrade_net(net, path)
    return net


def _read_known(message: Any, data: memoryview) -> None:
    """Parse `data` into `message`, a NetParameter or one of its layers.

    A type's parameter that is another message than BVLC's is left out.
    """
    known = _KNOWN.get(message.DESCRIPTOR.name)
    for number, whole, inside in fields(data):
        field = message.DESCRIPTOR.fields_by_number.get(number)
        name = field.message_type.name if field and field.message_type else ""
        if known is None and name in _KNOWN:
            _read_known(getattr(message, field.name).add(), inside)
        elif known is None or number in known or (field and _is_own(message.type, field.name)):
            if not name.endswith("Parameter"):
                message.MergeFromString(bytes(whole))
                continue
            with contextlib.suppress(DecodeError):
                message.MergeFrom(type(message).FromString(bytes(whole)))


def _is_own(layer_type: object, field: str) -> bool:
    kind = "recurrent" if layer_type in _RECURRENT else str(layer_type).lower()
    return field.replace("_", "") == f"{kind}param"


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


def has_weights(layer: Any) -> bool:
    """Return whether a LayerParameter is of a layer with learnable blobs, or with statistics."""
    if layer.type in ("Scale", "Bias"):  # of two bottoms, the second takes the blob's place
        with_bias = layer.type == "Scale" and layer.scale_param.bias_term
        return with_bias or len(layer.bottom) == 1
    if layer.type == "Normalize":  # SSD's, not happynear's
        return not layer.HasField("normalize_param")
    return layer.type in _WITH_WEIGHTS


def check_filled(
    layers: Iterable[Any],
    found: Collection[str],
    net: str | Path,
    weights: str | Path,
    partly: bool = False,
) -> list[str]:
    """Check that a file has weights for the layers of a net that need some.

    Parameters
    ----------
    layers : iterable of LayerParameter
        Of the net. Those with `blobs` in the prototxt need none in the file.
    found : collection of str
        The names of the layers with blobs in the file. A layer whose blobs are all shared with one
        of them by name needs none of its own.
    net, weights : path
        The prototxt and the file, for messages.
    partly : bool
        Whether one layer of them is enough.

    Returns
    -------
    list of str
        The layers without weights; without `partly` there are none.

    Raises
    ------
    WeightsError
        The file lacks a layer, or with `partly` all of them.
    """
    wanted = [layer for layer in layers if has_weights(layer) and not layer.blobs]
    shared = {spec.name for layer in wanted if layer.name in found for spec in layer.param} - {""}
    missing = [
        layer.name
        for layer in wanted
        if layer.name not in found
        and not (layer.param and shared.issuperset(spec.name for spec in layer.param))
    ]
    if missing and not (partly and len(missing) < len(wanted)):
        raise WeightsError(f"{weights}: {lacks(missing, net)}")
    return missing


def lacks(missing: Collection[str], net: str | Path) -> str:
    """Return the words for layers that have no weights in a file, as `check_filled` finds them."""
    first, *others = missing
    more = f", and of {len(others)} more" if others else ""
    return f"no weights of layer {first!r}, which {net} has{more}"
