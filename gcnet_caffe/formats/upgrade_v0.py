"""Bring nets in the V0 syntax of 2013, `layers { layer { } }`, to the V1 syntax, as Caffe does.

Source: Caffe src/caffe/util/upgrade_proto.cpp, UpgradeV0Net. A field that the layer's type does not
have is left out; there Caffe logs an error and goes on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gcnet_caffe.errors import SchemaError
from gcnet_caffe.formats._messages import caffe_pb

#: V0 types whose V1 name is not the same in capitals.
_TYPES = {"conv": "CONVOLUTION", "images": "IMAGE_DATA", "innerproduct": "INNER_PRODUCT"}
_TYPES["pool"] = "POOLING"
_TYPES.update(
    (name, name.upper())
    for name in (
        "accuracy bnll concat data dropout euclidean_loss flatten hdf5_data hdf5_output im2col "
        "infogain_loss lrn multinomial_logistic_loss relu sigmoid softmax softmax_loss split tanh "
        "window_data"
    ).split()
)

#: V0 types -> the message of their fields.
_PARAMS = {
    "conv": "convolution_param",
    "innerproduct": "inner_product_param",
    "pool": "pooling_param",
    "dropout": "dropout_param",
    "lrn": "lrn_param",
    "data": "data_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "window_data": "window_data_param",
    "infogain_loss": "infogain_loss_param",
    "concat": "concat_param",
}
_FILTERS, _SOURCES = ("conv", "innerproduct"), ("data", "hdf5_data", "images", "window_data")
#: V0 fields -> (the types that have them, their name there).
_FIELDS: dict[str, tuple[tuple[str, ...], str]] = {
    "num_output": (_FILTERS, "num_output"),
    "biasterm": (_FILTERS, "bias_term"),
    "weight_filler": (_FILTERS, "weight_filler"),
    "bias_filler": (_FILTERS, "bias_filler"),
    "pad": (("conv", "pool"), "pad"),
    "kernelsize": (("conv", "pool"), "kernel_size"),
    "group": (("conv",), "group"),
    "stride": (("conv", "pool"), "stride"),
    "pool": (("pool",), "pool"),
    "dropout_ratio": (("dropout",), "dropout_ratio"),
    "local_size": (("lrn",), "local_size"),
    "alpha": (("lrn",), "alpha"),
    "beta": (("lrn",), "beta"),
    "k": (("lrn",), "k"),
    "source": ((*_SOURCES, "infogain_loss"), "source"),
    "batchsize": (_SOURCES, "batch_size"),
    "rand_skip": (("data", "images"), "rand_skip"),
    "shuffle_images": (("images",), "shuffle"),
    "new_height": (("images",), "new_height"),
    "new_width": (("images",), "new_width"),
    "concat_dim": (("concat",), "concat_dim"),
    "det_fg_threshold": (("window_data",), "fg_threshold"),
    "det_bg_threshold": (("window_data",), "bg_threshold"),
    "det_fg_fraction": (("window_data",), "fg_fraction"),
    "det_context_pad": (("window_data",), "context_pad"),
    "det_crop_mode": (("window_data",), "crop_mode"),
}
#: V0 fields -> those of transform_param, whatever the layer's type.
_TRANSFORMS = {
    "scale": "scale",
    "meanfile": "mean_file",
    "cropsize": "crop_size",
    "mirror": "mirror",
}
_KEPT = ("blobs", "blobs_lr", "weight_decay")


def upgrade_v0(net: Any, origin: str | Path = "net") -> None:
    """Upgrade a NetParameter with V0 layers to V1 layers, in place; any other stays as it is.

    Raises
    ------
    SchemaError
        A layer's type is unknown; a bottom is; or a padding layer stands before something else than
        a convolution or a pooling with one bottom.
    """
    if not any(layer.HasField("layer") for layer in net.layers):
        return
    new = caffe_pb.NetParameter()
    for field in ("name", "force_backward"):
        if net.HasField(field):
            setattr(new, field, getattr(net, field))
    new.input.extend(net.input)
    new.input_dim.extend(net.input_dim)
    for layer in _without_padding(net, origin):
        new.layers.add().CopyFrom(_upgraded(layer, origin))
    net.CopyFrom(new)


def _without_padding(net: Any, origin: str | Path) -> list[Any]:
    """Return the layers without those of type padding, whose `pad` the layers behind them get."""
    makers: dict[str, Any] = dict.fromkeys(net.input)
    found = []
    for layer in net.layers:
        kind = layer.layer.type
        if kind != "padding":
            found.append(caffe_pb.V1LayerParameter())
            found[-1].CopyFrom(layer)
        for index, name in enumerate(layer.bottom):
            where = f"{origin}: layer {layer.layer.name!r}"
            if name not in makers:
                raise SchemaError(f"{where}: Unknown blob input {name!r}")
            maker = makers[name]
            if maker is None or maker.layer.type != "padding":
                continue
            alone = len(layer.bottom) == len(maker.bottom) == len(maker.top) == 1
            if kind not in ("conv", "pool") or not alone:
                raise SchemaError(
                    f"{where}: type {kind!r} behind a padding layer; wanted conv or pool, and one "
                    "bottom and top each"
                )
            found[-1].layer.pad = maker.layer.pad
            found[-1].bottom[index] = maker.bottom[0]
        makers.update(dict.fromkeys(layer.top, layer))
    return found


def _upgraded(old: Any, origin: str | Path) -> Any:
    v0 = old.layer
    new = caffe_pb.V1LayerParameter(bottom=old.bottom, top=old.top)
    if v0.HasField("name"):
        new.name = v0.name
    if v0.HasField("type"):
        if v0.type not in _TYPES:
            raise SchemaError(f"{origin}: layer {v0.name!r}: Unknown layer name: {v0.type!r}")
        new.type = caffe_pb.V1LayerParameter.LayerType.Value(_TYPES[v0.type])
    for field, value in v0.ListFields():
        kinds, name = _FIELDS.get(field.name, ((), ""))
        if field.name in _KEPT:
            getattr(new, field.name).extend(value)
        elif field.name in _TRANSFORMS:
            setattr(new.transform_param, _TRANSFORMS[field.name], value)
        elif v0.type in kinds:
            _set(getattr(new, _PARAMS[v0.type]), name, value)
        elif field.name == v0.type + "_param":  # hdf5_output_param
            new.hdf5_output_param.CopyFrom(value)
    return new


def _set(param: Any, name: str, value: Any) -> None:
    """Set a field, be it one value, several, or a message."""
    field = getattr(param, name)
    if hasattr(field, "append"):
        field.append(value)
    elif hasattr(field, "CopyFrom"):
        field.CopyFrom(value)
    else:
        setattr(param, name, value)
