"""Caffe's message classes, in a descriptor pool of our own.

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


def _load() -> SimpleNamespace:
    files = descriptor_pb2.FileDescriptorSet()
    files.ParseFromString((Path(__file__).parent / "caffe.desc").read_bytes())
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(files.file[0].SerializeToString())
    names = [message.name for message in files.file[0].message_type]
    descriptors = [pool.FindMessageTypeByName(f"caffe.{name}") for name in names]
    phase = pool.FindEnumTypeByName("caffe.Phase").values_by_name
    return SimpleNamespace(
        **{d.name: _message_class(pool, d) for d in descriptors},
        **{name: value.number for name, value in phase.items()},
    )


#: Caffe's messages as attributes (``caffe_pb.NetParameter``, ``caffe_pb.Datum``), and TRAIN, TEST.
caffe_pb = _load()
