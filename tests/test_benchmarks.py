"""What the benchmarks import from each other, and from the tests, is there."""

import ast
from importlib import import_module
from importlib.util import find_spec

import pytest

from tests.scratch import ROOT


def borrowed(path):
    """Return (module, name) of every import from benchmarks or tests, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("benchmarks", "tests")
        ):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda p: p.stem)
def test_imports(path):
    for module, name in borrowed(path):
        found = import_module(module)
        inside = hasattr(found, "__path__") and find_spec(f"{module}.{name}")
        assert hasattr(found, name) or inside, f"{path}: {module} has no {name}"


def test_there_are_such_imports():
    assert ("benchmarks.training_step", "make_tree") in borrowed(ROOT / "benchmarks/step_parts.py")
