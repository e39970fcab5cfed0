"""Caffe's message classes, in a descriptor pool of our own.

pycaffe registers the same message names in protobuf's default pool; a private pool lets both live
in one process.
"""

from pathlib import Path
from types import SimpleNamespace

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory


def _message_class(pool, descriptor):
    if hasattr(message_factory, "GetMessageClass"):  # protobuf >= 4.22
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def _load():
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
