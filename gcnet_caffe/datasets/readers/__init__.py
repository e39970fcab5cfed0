"""Readers: each lists one kind of data set as manifest rows.

A reader is a module with a docstring (shown by ``gcnet make-manifest READER --help``),
``add_arguments(parser)``, and ``read(**arguments)``, which returns (rows, `Survey`).
"""

from __future__ import annotations

from types import ModuleType

from gcnet_caffe.datasets.readers import (
    ck,
    fer2013,
    manifest,
    mmi,
    oulu,
    pattern,
    rafdb,
    sfew,
    webface,
)

READERS: dict[str, ModuleType] = {
    "ck": ck,
    "mmi": mmi,
    "oulu": oulu,
    "webface": webface,
    "fer2013": fer2013,
    "rafdb": rafdb,
    "sfew": sfew,
    "pattern": pattern,
    "manifest": manifest,
}
