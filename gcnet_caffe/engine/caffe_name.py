"""`import caffe` for scripts and for layers in Python: gcnet_caffe.pycaffe under that name."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = "gcnet_caffe.pycaffe"
#: Where real pycaffe has what the package shows; scripts import from there, too.
_SAME = ("caffe.pycaffe", "caffe._caffe")


class _Finder(MetaPathFinder, Loader):
    """Finds `caffe` and its modules in that package: the same modules under both names."""

    def __init__(self) -> None:
        self._own: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.split(".")[0] != "caffe":
            return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        name = PACKAGE if spec.name in _SAME else PACKAGE + spec.name[len("caffe") :]
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ModuleNotFoundError(
                f"No module named {spec.name!r} in {PACKAGE}", name=spec.name
            ) from None
        self._own[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing to run; the import has put its own spec into the module."""
        assert module.__spec__ is not None
        module.__spec__ = self._own.pop(module.__spec__.name)


def provide() -> None:
    """Let `import caffe` be `gcnet_caffe.pycaffe` from now on, in this process.

    What was imported as `caffe` before stays what it is.
    """
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
