"""Caffe's messages under the name that protobuf's compiler gives them in real pycaffe."""

from __future__ import annotations

from typing import Any

from gcnet_caffe.formats import caffe_pb


def __getattr__(name: str) -> Any:
    if not hasattr(caffe_pb, name):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(caffe_pb, name)


def __dir__() -> list[str]:
    return sorted(vars(caffe_pb))
