"""Which package may import which: a folder's name is a promise (CONTRIBUTING.md draws it)."""

from __future__ import annotations

import ast
import functools
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scratch import ROOT

PACKAGE = "gcnet_caffe"
#: From the ground up: a package imports only what stands above it in this list.
FLOORS = (
    "errors",
    "text",
    "files parallel ends_with_parent",
    "plotting",
    "formats",
    "faces",
    "datasets nets",
    "rendering packing",
    "engine real_caffe",
    "onnx pycaffe",
    "inference",
    "evaluation",
    "report",
    "experiment",
    "recognition",
    "web",
    "cli",
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
#: They run on Debian 11's Python beside real Caffe, and meet the engine in files only.
PLAIN = ("formats", "faces", "datasets", "nets", "rendering", "packing")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_of(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}


def nodes(tree: ast.AST, types: bool) -> Iterator[ast.AST]:
    """Yield what is below `tree`; without what only type checkers read, if not `types`."""
    for node in ast.iter_child_nodes(tree):
        if types or not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from nodes(node, types)


@functools.cache
def tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def imports(module: str, types: bool = True) -> Iterator[str]:
    """Yield each module that `module` imports, in functions too."""
    for node in nodes(tree(module), types):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in SOURCES else node.module


def ours(types: bool) -> dict[str, set[str]]:
    """Return module -> modules of this package that it imports."""
    return {m: {n for n in imports(m, types) if n in SOURCES} - {m} for m in SOURCES}


def test_every_package_has_a_floor() -> None:
    assert {name.split(".")[1] for name in SOURCES if "." in name} == set(FLOOR)


def test_every_package_has_a_folder_of_tests() -> None:
    """Beside them are those of the folders `docker` and `native`."""

    def folders(path: Path) -> set[str]:
        return {made.parent.name for made in path.glob("*/__init__.py")}

    assert folders(ROOT / "tests") == folders(ROOT / PACKAGE) | {"docker", "native"}


def test_no_import_goes_up() -> None:
    up = {
        f"{module} -> {name}"
        for module, names in ours(types=True).items()
        for name in names
        if "." in module and "." in name
        if module.split(".")[1] != name.split(".")[1]
        if FLOOR[name.split(".")[1]] >= FLOOR[module.split(".")[1]]
    }
    assert up == set()


def test_no_files_import_each_other_in_a_circle() -> None:
    """What imports nothing of the rest, or is imported by none of it, is in no circle."""
    left = ours(types=False)
    while outside := {
        module
        for module, names in left.items()
        if not names or not any(module in others for others in left.values())
    }:
        left = {m: names - outside for m, names in left.items() if m not in outside}
    assert left == {}


@pytest.mark.parametrize("script", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.stem)
def test_what_a_benchmark_imports_is_there(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            assert node.module in SOURCES
            for alias in node.names:
                found = f"{node.module}.{alias.name}" in SOURCES
                assert found or hasattr(importlib.import_module(node.module), alias.name)


@pytest.mark.parametrize("package", PLAIN)
def test_neither_torch_nor_caffe_is_imported(package: str) -> None:
    modules = [name for name in SOURCES if name.split(".")[1:2] == [package]]
    assert modules
    for module in modules:
        assert not {name.split(".")[0] for name in imports(module)} & {"torch", "caffe"}, module
