"""Where scripts look for Caffe's messages."""

from gcnet_caffe.pycaffe.proto import caffe_pb2

__all__ = ["caffe_pb2"]
