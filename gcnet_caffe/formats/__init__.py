"""Caffe's file formats: the messages, their text and binary forms, and the upgrade of old files."""

from gcnet_caffe.formats._io import (
    parse_text,
    read_binary,
    read_file,
    read_net,
    read_solver,
    read_text,
    to_text,
    write_binary,
)
from gcnet_caffe.formats._messages import caffe_pb
from gcnet_caffe.formats.upgrade import upgrade_net, upgrade_solver
from gcnet_caffe.formats.weights import read_weights

__all__ = [
    "caffe_pb",
    "parse_text",
    "read_binary",
    "read_file",
    "read_net",
    "read_solver",
    "read_text",
    "read_weights",
    "to_text",
    "upgrade_net",
    "upgrade_solver",
    "write_binary",
]
