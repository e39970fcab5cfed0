"""Breaks every layer a little, one thing at a time, and sees whether the tests notice.

    python -m tests.engine.parity.write_docs mutations

writes the tables of docs/parity.md, and exits with 1 if a break is not noticed in some case.

What is broken: each top, the gradient of each bottom and of each blob, and the blobs that a forward
pass changes; of each layer type, in each of the engine's ways (run.py), and of the steps that are
fused; the rest in other_mutations.py. A break is a factor of 1.001; where the
right numbers are whole (places, 0 or 1), all 0 or infinite, it is one of them that is 1 more, or 0.

A break is run through the functions that the tests run, on every case that has the thing. It is red
if they find something wrong.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from gcnet_caffe.engine import caffe_order, fusion
from gcnet_caffe.engine.caffe_order.rule import gradient_found
from tests.engine.parity.case import Case, Chain, Graph
from tests.engine.parity.cases import CASES
from tests.engine.parity.run import (
    WAYS,
    Arrays,
    given,
    has_rule,
    opened,
    wrong,
)
from tests.scratch import ROOT

FACTOR = 1.001
DOCUMENT = ROOT / "docs/parity.md"
Change = Callable[[torch.Tensor], torch.Tensor]

#: Tops of whole numbers: of places, or of 0 and 1.
_WHOLE = {("ArgMax", "t0"), ("Threshold", "t0"), ("Pooling", "t1")}


def is_whole(kind: str, place: str) -> bool:
    """Whether the numbers at `place` of layer type `kind` are whole ones."""
    return (kind, place) in _WHOLE


class Break(NamedTuple):
    """`place` (a name of run.py's results) of the layer or chain `type`, by a factor or not."""

    type: str
    place: str
    by_factor: bool = True

    @property
    def words(self) -> str:
        """What is broken, in words."""
        kind, index = _kind_and_index(self.place)
        if kind == "t":
            return f"top {index}" if index else "top"
        what = {"b_diff": "gradient of bottom", "blob_diff": "gradient of blob"}.get(kind, kind)
        return f"{what} {index}"

    @property
    def change(self) -> Change:
        """What is done to the numbers."""
        return _times if self.by_factor else _one_off


def _times(numbers: torch.Tensor) -> torch.Tensor:
    return numbers * FACTOR


def _one_off(numbers: torch.Tensor) -> torch.Tensor:
    changed = numbers.clone(memory_format=torch.contiguous_format)
    first = changed.view(-1)[:1]
    first.copy_(torch.where(torch.isfinite(first), first + 1, 0))
    return changed


class _Changed(torch.autograd.Function):
    """Passes numbers on, and their gradient back, one of both changed."""

    @staticmethod
    def forward(ctx: Any, numbers: torch.Tensor, there: Change, back: Change) -> torch.Tensor:
        ctx.back = back
        return there(numbers.clone())

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[Any, ...]:
        return ctx.back(gradient.clone()), None, None


def _same(numbers: torch.Tensor) -> torch.Tensor:
    return numbers


def _broken_call(call: Callable, blobs_of: Callable, broken: Break) -> Callable:
    """Return `call` (self, *bottoms) broken; `blobs_of(self)` are its blobs."""
    kind, index = _kind_and_index(broken.place)

    def run(self: Any, *bottoms: torch.Tensor) -> Any:
        reached = None
        given = list(bottoms)
        if kind == "b_diff" and given[index].requires_grad:
            reached = given[index] = _Changed.apply(given[index], _same, broken.change)
        if kind == "blob_diff":
            reached = blobs_of(self)[index]
            reached.register_hook(broken.change)
        made = call(self, *given)
        tops = list(made) if isinstance(made, tuple) else [made]
        if reached is not None and not broken.by_factor:  # a gradient of 0, even where none comes
            if tops:
                tops[0] = tops[0] + 0 * reached.sum()
            else:
                bottoms[index].grad = broken.change(torch.zeros_like(reached))
        if kind == "t" and tops[index].is_floating_point():
            tops[index] = _Changed.apply(tops[index], broken.change, _same)
        elif kind == "t":
            tops[index] = broken.change(tops[index])
        if kind == "blob":
            blob = blobs_of(self)[index]
            blob.data = broken.change(blob.data)
        return tuple(tops) if isinstance(made, tuple) else tops[0]

    return run


def _kind_and_index(place: str) -> tuple[str, int]:
    """Return ("t", 0), ("b_diff", 1), ("blob", 2), ("blob_diff", 0) ... of a name of a result."""
    name = place.partition("_")[0]
    letters = name.rstrip("0123456789")
    return letters + ("_diff" if "_" in place else ""), int(name[len(letters) :])


def _broken_rule(rule: Callable, broken: Break) -> Callable:
    """Return a rule of engine/caffe_order, broken."""
    kind, index = _kind_and_index(broken.place)

    def change(array: Any) -> np.ndarray:
        array = np.array(array)
        return broken.change(torch.from_numpy(array)).numpy().astype(array.dtype)

    def run(layer: Any, *bottoms: np.ndarray) -> tuple[Any, Callable]:
        made, back = rule(layer, *bottoms)
        tops = list(made) if isinstance(made, tuple) else [made]
        if kind == "t":
            tops[index] = change(tops[index])
        if kind == "blob":
            layer.blobs[index].data = broken.change(layer.blobs[index].data)

        def broken_back(*gradients: np.ndarray) -> list:
            blob = layer.blobs[index] if kind == "blob_diff" else None
            before = 0 if blob is None or blob.grad is None else blob.grad.clone()
            found = list(back(*gradients))
            if kind == "b_diff":
                one = found[index]
                found[index] = change(
                    np.zeros_like(bottoms[index]) if one is None else gradient_found(one)
                )
            if blob is not None:
                added = (torch.zeros_like(blob) if blob.grad is None else blob.grad) - before
                blob.grad = before + broken.change(added.detach())
            return found

        return (tuple(tops) if isinstance(made, tuple) else tops[0]), broken_back

    return run


@contextlib.contextmanager
def break_layer(layer: type, broken: Break) -> Iterator[None]:
    """Have the class `layer` broken so."""
    with pytest.MonkeyPatch.context() as patch:
        call = _broken_call(layer.forward, lambda made: list(made.blobs), broken)
        patch.setattr(layer, "forward", call)
        yield


@contextlib.contextmanager
def _break_fused(broken: Break) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        call = _broken_call(fusion.Joined.__call__, _blobs_of_joined, broken)
        patch.setattr(fusion.Joined, "__call__", call)
        yield


@contextlib.contextmanager
def _break_rule(broken: Break) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        rules = caffe_order._RULES
        patch.setitem(rules, broken.type, _broken_rule(rules[broken.type], broken))
        yield


def breaking(broken: Break, case: Case, way: str) -> contextlib.AbstractContextManager[None]:
    """Return a context in which the engine is broken so, for a net of `case`."""
    if isinstance(case, Chain):
        return _break_fused(broken)
    if way == "caffe":
        return _break_rule(broken)
    return break_layer(type(opened(case).layers[-1]), broken)


def _blobs_of_joined(joined: fusion.Joined) -> list:
    return [*joined.layer.blobs, *(joined.scale.blobs if joined.scale else ())]


def is_one_step(case: Case) -> bool:
    """Whether training does a whole chain in one fused step."""
    steps = [step for step in opened(case)._fused if not step.layer.is_source]
    return len(steps) == 1 and isinstance(steps[0].op, fusion.Joined)


def breaks_of(case: Case, theirs: Arrays) -> list[Break]:
    """Return the breaks of a case: of all its results, but blobs that forward does not change."""
    kept = {f"blob{k}": array for k, array in enumerate(given(case, opened(case))[0])}
    found = []
    for place, wanted in theirs.items():
        if place not in kept or not np.array_equal(wanted, kept[place]):
            some = (wanted[np.isfinite(wanted)] != 0).any()
            found.append(Break(case.type, place, bool(some) and not is_whole(case.type, place)))
    return found


def is_red(broken: Break, case: Case, theirs: Arrays, way: str) -> bool:
    """Whether the tests' comparison finds something wrong with the engine broken so."""
    with breaking(broken, case, way):
        try:
            return bool(wrong(case, theirs, way))
        except AssertionError:  # another number of tops
            return True


def ways_of(case: Case) -> list[str]:
    """Return the ways in which a case is broken."""
    if isinstance(case, Graph):
        return []
    if isinstance(case, Chain):
        return ["training"] if case.joined else []
    return [way for way in WAYS if way != "caffe" or has_rule(case)]


Counts = dict[tuple[str, str, str], list[int]]


def break_layers(
    results: list[Arrays], types: Iterable[str] = (), at_most: int | None = None
) -> Counts:
    """Break the layers and chains of `types` (none: of all).

    Parameters
    ----------
    results : list of dict
        Real Caffe's, of all CASES.
    at_most : int, optional
        How many cases each break is tried on.

    Returns
    -------
    dict
        (type, what is broken, way) -> [cases in which the break is red, cases].
    """
    found: Counts = {}
    for case, theirs in zip(CASES, results):
        if types and case.type not in types:
            continue
        ways = ways_of(case)
        for broken in breaks_of(case, theirs) if ways else ():
            for way in ways:
                counts = found.setdefault((broken.type, broken.words, way), [0, 0])
                if at_most is None or counts[1] < at_most:
                    counts[0] += is_red(broken, case, theirs, way)
                    counts[1] += 1
    return found


#: The columns of the tables, way by way.
LAYER_HEADS = {
    "layer": "as it is",
    "caffe": "in Caffe's order",
    "training": "in training",
    "ONNX": "as ONNX",
}
SOURCE_HEADS = {"engine": "red"}
RULE_HEADS = {"engine": "as it is", "Caffe's order": "in Caffe's order"}


def survivors(found: Counts) -> list[tuple[str, str, str]]:
    """Return the breaks that are not red in every case, or that no case was broken by."""
    return [key for key, (red, cases) in found.items() if not red == cases > 0]


def table(found: Counts, heads: dict[str, str]) -> str:
    """Return a table of breaks: a row for each thing, a column for each way."""
    lines = [
        "| of | broken | " + " | ".join(heads.values()) + " |",
        "|---|---|" + "---|" * len(heads),
    ]
    for kind, what in sorted({key[:2] for key in found}):
        counts = [found.get((kind, what, way)) for way in heads]
        cells = ["" if one is None else f"{one[0]} of {one[1]}" for one in counts]
        lines.append("| " + " | ".join([kind, what, *cells]) + " |")
    return "\n".join(lines)


def rows(found: Counts, heads: dict[str, str]) -> list[tuple[str, ...]]:
    """Return the rows of the table without the numbers: which cells are filled."""
    return _filled(table(found, heads))


def rows_of(part: str) -> list[tuple[str, ...]]:
    """Return the same of the table between the marks of `part` in docs/parity.md.

    Raises
    ------
    AssertionError
        There is no such table, or its numbers say that a break survived.
    """
    found = re.search(f"<!-- {part} -->\n(.*?)\n<!-- /{part} -->", DOCUMENT.read_text(), re.S)
    assert found, part
    counts = re.findall(r"(\d+) of (\d+)", found[1])
    assert counts and all(red == cases != "0" for red, cases in counts)
    return _filled(found[1])


def _filled(text: str) -> list[tuple[str, ...]]:
    return [tuple(re.sub(r"\d+ of \d+", "x", line).split("|")) for line in text.splitlines()]
