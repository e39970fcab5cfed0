"""Caffe's messages under the names that protobuf's compiler gives them in real pycaffe."""

from __future__ import annotations

from typing import Any

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from gcnet_caffe.formats import caffe_pb

DESCRIPTOR = caffe_pb.NetParameter.DESCRIPTOR.file
Phase = EnumTypeWrapper(DESCRIPTOR.enum_types_by_name["Phase"])

#: The descriptors, such as _V1LAYERPARAMETER_LAYERTYPE, which converters ask for names of types.
_DESCRIPTORS = {
    one.full_name.replace("caffe.", "_", 1).replace(".", "_").upper(): one
    for message in DESCRIPTOR.message_types_by_name.values()
    for one in (message, *message.enum_types)
}


def __getattr__(name: str) -> Any:
    if name in _DESCRIPTORS:
        return _DESCRIPTORS[name]
    if not hasattr(caffe_pb, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(caffe_pb, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *vars(caffe_pb), *_DESCRIPTORS})
