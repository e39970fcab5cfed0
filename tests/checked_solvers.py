"""Every solver that any test gives to the engine is given to `gcnet check`, too.

What check refuses may not start, and what the engine refuses for its data may not be accepted.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

import pytest


def watch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check solvers when they are made, if the engine is imported."""
    module = sys.modules.get("gcnet_caffe.engine.solver")
    if module is not None:
        refusals: dict[int, str] = {}
        made, iterated = module.Solver.__init__, module.Solver._one_iteration
        monkeypatch.setattr(module.Solver, "__init__", _checked(made, refusals))
        monkeypatch.setattr(module.Solver, "_one_iteration", _trained(iterated, refusals))


def _checked(make: Any, refusals: dict[int, str]) -> Any:
    from gcnet_caffe.errors import GcnetError, LmdbError
    from gcnet_caffe.packing.check import check_solver

    @functools.wraps(make)
    def init(self: Any, param: Any, origin: Any, *args: Any, **kwargs: Any) -> None:
        refusals.pop(id(self), None)
        try:
            check_solver(param, str(origin))
        except GcnetError as error:
            refusals[id(self)] = str(error)
        try:
            make(self, param, origin, *args, **kwargs)
        except LmdbError as error:
            accepted = id(self) not in refusals
            assert not accepted, f"`gcnet check` accepts what does not start: {error}"
            raise

    return init


def _trained(iterate: Any, refusals: dict[int, str]) -> Any:
    @functools.wraps(iterate)
    def one_iteration(self: Any) -> None:
        iterate(self)
        refusal = refusals.get(id(self))
        assert refusal is None, f"`gcnet check` refuses what trains: {refusal}"

    return one_iteration
