"""GCNet (Kim et al.) as ordinary Caffe files: networks, solvers, LMDBs, and what runs them."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

#: What the package offers -> the module that has it, which is imported when it is asked for.
_HOMES = {
    "Recognizer": "recognition.recognizer",  # pictures to expressions
    "load_net": "engine.module",  # a prototxt and its weights as a PyTorch module
    "read_net": "formats",  # prototxts, of any syntax that Caffe reads
    "read_solver": "formats",
    "read_weights": "formats",  # a .caffemodel as a message
    "to_text": "formats",  # a message as a prototxt
    "pack_pairs": "packing.pack",  # a manifest to LMDBs
    "pack_identities": "packing.pack",
    "pack_cross": "packing.pack",
}
if TYPE_CHECKING:
    from gcnet_caffe.engine.module import load_net
    from gcnet_caffe.formats import read_net, read_solver, read_weights, to_text
    from gcnet_caffe.packing.pack import pack_cross, pack_identities, pack_pairs
    from gcnet_caffe.recognition.recognizer import Recognizer

__all__ = [
    "Recognizer",
    "load_net",
    "pack_cross",
    "pack_identities",
    "pack_pairs",
    "read_net",
    "read_solver",
    "read_weights",
    "to_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return getattr(home, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
