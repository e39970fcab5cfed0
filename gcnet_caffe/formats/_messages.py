"""Caffe's message classes, with the fields of other Caffes, in a descriptor pool of our own.

pycaffe registers the same message names in protobuf's default pool; a private pool lets both live
in one process.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def _message_class(pool: descriptor_pool.DescriptorPool, descriptor: Any) -> Any:
    if hasattr(message_factory, "GetMessageClass"):  # protobuf >= 4.22
        return message_factory.GetMessageClass(descriptor)
    old: Any = message_factory.MessageFactory(pool)
    return old.GetPrototype(descriptor)


def _classes(file: Any) -> SimpleNamespace:
    """Return the message classes of a FileDescriptorProto, and the values of Phase."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    names = [message.name for message in file.message_type]
    descriptors = [pool.FindMessageTypeByName(f"caffe.{name}") for name in names]
    phase = pool.FindEnumTypeByName("caffe.Phase").values_by_name
    return SimpleNamespace(
        **{d.name: _message_class(pool, d) for d in descriptors},
        **{name: value.number for name, value in phase.items()},
    )


def _raw(file: Any) -> Any:
    """Return `file` with the numbers of BlobProto as bytes, and with SSD's AnnotatedDatum."""
    raw = descriptor_pb2.FileDescriptorProto.FromString(file.SerializeToString())
    (blob,) = (message for message in raw.message_type if message.name == "BlobProto")
    for field in blob.field:
        if field.type in (field.TYPE_FLOAT, field.TYPE_DOUBLE):  # packed: in binary form alike
            field.type, field.label = field.TYPE_BYTES, field.LABEL_OPTIONAL
            field.ClearField("options")
    datum = {"name": "datum", "number": 1, "type_name": ".caffe.Datum"}
    raw.message_type.add(name="AnnotatedDatum").field.add(**datum, type=11, label=1)
    return raw


def _compiled(name: str) -> Any:
    """Return the FileDescriptorProto in the file `name` beside this one."""
    data = (Path(__file__).parent / name).read_bytes()
    return descriptor_pb2.FileDescriptorSet.FromString(data).file[0]


def _add(whole: Any, more: Any) -> None:
    """Add the fields, messages and enum values of `more` to those of `whole` of the same name.

    Both are FileDescriptorProtos, or DescriptorProtos.
    """
    nested = "message_type" if isinstance(whole, descriptor_pb2.FileDescriptorProto) else None
    for kind in (nested or "nested_type", "enum_type"):
        known = {one.name: one for one in getattr(whole, kind)}
        for one in getattr(more, kind):
            if one.name not in known:
                getattr(whole, kind).add().CopyFrom(one)
            elif kind == "enum_type":
                known[one.name].value.extend(one.value)
            else:
                _add(known[one.name], one)
    if not nested:
        whole.field.extend(more.field)


_FILE = _compiled("caffe.desc")
_add(_FILE, _compiled("forks.desc"))

#: Caffe's messages as attributes (``caffe_pb.NetParameter``, ``caffe_pb.Datum``), and TRAIN, TEST.
caffe_pb = _classes(_FILE)

#: The same, of the same binary form; the numbers of a BlobProto are bytes. And AnnotatedDatum.
raw_pb = _classes(_raw(_FILE))
