"""GCNet (Kim et al.) as ordinary Caffe files: networks, solvers, LMDBs, and what runs them.

What the package offers is imported when it is first used: `import gcnet_caffe` is quick, and needs
neither torch nor OpenCV. docs/python.md has an example of each name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gcnet_caffe.errors import GcnetError

if TYPE_CHECKING:
    from gcnet_caffe.engine.commands import test, train
    from gcnet_caffe.engine.layers.python import register_layer
    from gcnet_caffe.engine.module import load_net
    from gcnet_caffe.engine.options import EngineOptions
    from gcnet_caffe.formats import read_net, read_solver, read_weights, to_text, write_binary
    from gcnet_caffe.packing.pack import pack_cross, pack_identities, pack_pairs
    from gcnet_caffe.recognition.recognizer import Recognizer

__version__ = "0.1.0.dev0"

__all__ = [
    "EngineOptions",
    "GcnetError",
    "Recognizer",
    "load_net",
    "pack_cross",
    "pack_identities",
    "pack_pairs",
    "read_net",
    "read_solver",
    "read_weights",
    "register_layer",
    "test",
    "to_text",
    "train",
    "write_binary",
]

#: Name -> the module that has it.
_HOMES = {
    "EngineOptions": "engine.options",
    "Recognizer": "recognition.recognizer",
    "load_net": "engine.module",
    "pack_cross": "packing.pack",
    "pack_identities": "packing.pack",
    "pack_pairs": "packing.pack",
    "read_net": "formats",
    "read_solver": "formats",
    "read_weights": "formats",
    "register_layer": "engine.layers.python",
    "test": "engine.commands",
    "to_text": "formats",
    "train": "engine.commands",
    "write_binary": "formats",
}
_WITH_TORCH = ("load_net", "register_layer", "test", "train")


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _WITH_TORCH:
        from gcnet_caffe.engine import import_torch

        import_torch(f"gcnet_caffe.{name}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
