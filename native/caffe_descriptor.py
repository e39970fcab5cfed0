"""Write pycaffe's description of Caffe's messages as a FileDescriptorSet, for protoc."""

import sys

from caffe.proto import caffe_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet

messages = FileDescriptorSet()
caffe_pb2.DESCRIPTOR.CopyToProto(messages.file.add())
with open(sys.argv[1], "wb") as out:
    out.write(messages.SerializeToString())
