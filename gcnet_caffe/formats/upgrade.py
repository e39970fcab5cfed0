"""Bring old nets and solvers to today's form, as Caffe does when it reads them.

Source: Caffe src/caffe/util/upgrade_proto.cpp. The V0 syntax of 2013 is upgraded in upgrade_v0.
"""

from __future__ import annotations

import os
from itertools import zip_longest
from pathlib import Path
from typing import Any

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats._messages import caffe_pb
from gcnet_caffe.formats.upgrade_v0 import upgrade_v0

_V1 = caffe_pb.V1LayerParameter

#: V1 type names that do not become a V2 name by dropping underscores and capitalising the words.
_TYPE_NAMES = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
_TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")
_DATA_PARAMS = {
    "DATA": "data_param",
    "IMAGE_DATA": "image_data_param",
    "WINDOW_DATA": "window_data_param",
}
#: V1 fields that become something else.
_V1_ONLY = {"layer", "type", "param", "blob_share_mode", "blobs_lr", "weight_decay"}

_SOLVER_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}


def upgrade_net(net: Any, origin: str | Path = "net") -> None:
    """Upgrade a NetParameter in place.

    Parameters
    ----------
    net : NetParameter
    origin : str or Path
        What errors call the net.

    Raises
    ------
    SchemaError
        The net has both `layer` and `layers`, an old layer has the type NONE, there are fewer
        shapes (`input_shape`, or four `input_dim`) than inputs, or a pooling's `ceil_mode` and
        `round_mode` differ.
    """
    upgrade_v0(net, origin)
    if net.layers:
        if net.layer:
            raise SchemaError(f"{origin}: has both 'layer' and 'layers'; use 'layer' only")
        for old in net.layers:
            _move_transform(old)
            net.layer.add().CopyFrom(_upgraded(old, origin))
        net.ClearField("layers")
    if net.input:
        _upgrade_input(net, origin)
    for layer in net.layer:
        if layer.HasField("pooling_param"):
            _upgrade_rounding(layer, origin)
        if layer.type == "BatchNorm" and len(layer.param) == 3:
            for spec in layer.param:  # the statistics are not learned
                spec.lr_mult = spec.decay_mult = 0


def _upgrade_rounding(layer: Any, origin: str | Path) -> None:
    """Write the `ceil_mode` of another Caffe (soeaver/py-RFCN-priv) as BVLC's `round_mode`."""
    param = layer.pooling_param
    if not param.HasField("ceil_mode"):
        return
    mode = param.CEIL if param.ceil_mode else param.FLOOR
    if param.HasField("round_mode") and param.round_mode != mode:
        raise SchemaError(
            f"{origin}: layer {layer.name!r}: ceil_mode and round_mode differ; give one of them"
        )
    param.round_mode = mode
    param.ClearField("ceil_mode")


def upgrade_solver(solver: Any, origin: str | Path = "solver") -> None:
    """Upgrade a SolverParameter in place: the `solver_type` enum becomes the `type` string.

    Raises
    ------
    SchemaError
        The solver has both.
    """
    if not solver.HasField("solver_type"):
        return
    if solver.HasField("type"):
        raise SchemaError(f"{origin}: has both 'solver_type' and 'type'; use 'type' only")
    enum = solver.DESCRIPTOR.enum_types_by_name["SolverType"]
    solver.type = _SOLVER_TYPES[enum.values_by_number[solver.solver_type].name]
    solver.ClearField("solver_type")


def upgrade_snapshot_prefix(solver: Any, path: str | Path) -> None:
    """Set a snapshot_prefix that is missing or a folder, in place.

    Parameters
    ----------
    solver : SolverParameter
    path : str or Path
        Its file. A missing prefix becomes the file's path without its ending, a folder that folder
        and the file's name without its ending.

    References
    ----------
    Caffe src/caffe/util/upgrade_proto.cpp, UpgradeSnapshotPrefixProperty (since January 2018).
    """
    folder, slash, name = str(path).rpartition("/")
    stem = name.rpartition(".")[0] if "." in name else name
    prefix = solver.snapshot_prefix
    if not solver.HasField("snapshot_prefix"):
        solver.snapshot_prefix = f"{folder}{slash}{stem}"
    elif prefix and os.path.isdir(prefix) and stem:
        solver.snapshot_prefix = f"{prefix}{'' if prefix.endswith('/') else '/'}{stem}"


def _v1_type(layer: Any) -> str:
    return str(_V1.DESCRIPTOR.enum_types_by_name["LayerType"].values_by_number[layer.type].name)


def _move_transform(layer: Any) -> None:
    name = _DATA_PARAMS.get(_v1_type(layer))
    if name is None:
        return
    param = getattr(layer, name)
    for field in _TRANSFORM_FIELDS:
        if param.HasField(field):
            setattr(layer.transform_param, field, getattr(param, field))
            param.ClearField(field)


def _upgraded(old: Any, origin: str | Path) -> Any:
    kept = {field.name: value for field, value in old.ListFields() if field.name not in _V1_ONLY}
    new = caffe_pb.LayerParameter(**kept)
    if old.HasField("type"):
        name = _v1_type(old)
        if name == "NONE":
            raise SchemaError(f"{origin}: layer {old.name!r} has type NONE")
        camel = "".join(word.capitalize() for word in name.split("_"))
        new.type = _TYPE_NAMES.get(name, camel)
    for each in zip_longest(old.param, old.blob_share_mode, old.blobs_lr, old.weight_decay):
        spec = dict(zip(("name", "share_mode", "lr_mult", "decay_mult"), each))
        new.param.add(**{field: value for field, value in spec.items() if value is not None})
    return new


def _upgrade_input(net: Any, origin: str | Path) -> None:
    shapes = [list(shape.dim) for shape in net.input_shape]
    if not shapes:
        dims = list(net.input_dim)
        shapes = [dims[i : i + 4] for i in range(0, len(dims), 4)]
    if shapes:  # otherwise a caffemodel of old, whose input names carry nothing
        if len(shapes) < len(net.input) or (net.input_dim and len(shapes[-1]) < 4):
            raise SchemaError(f"{origin}: {len(net.input)} inputs, but shapes for {shapes} only")
        layer = caffe_pb.LayerParameter(name="input", type="Input", top=net.input)
        for shape in shapes[: len(net.input)]:
            layer.input_param.shape.add(dim=shape)
        copies = caffe_pb.NetParameter(layer=[layer, *net.layer])
        net.ClearField("layer")
        net.layer.extend(copies.layer)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
