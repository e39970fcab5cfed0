"""Breaks what is no layer's arithmetic: sources, fillers, transforms, update rules, ONNX.

As mutations.py does, which see.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from gcnet_caffe.engine import fillers, solver, updates
from gcnet_caffe.engine.layers import Context, create_layer
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.transformer import Transformer
from gcnet_caffe.formats import caffe_pb, parse_text
from gcnet_caffe.onnx.export import convert
from tests.engine import rules
from tests.engine.parity.cases import CASES
from tests.engine.parity.mutations import FACTOR, Break, Counts, break_layer, is_whole
from tests.engine.parity.run import Arrays, source_by_engine
from tests.engine.parity.sources import SOURCES, Source, unequal
from tests.onnx import test_layers as in_onnx

Undo = contextlib.AbstractContextManager


def _patched(owner: Any, name: str, made: Callable[[Callable], Callable]) -> Undo[None]:
    """Have attribute or key `name` of `owner` be what `made` makes of it."""

    @contextlib.contextmanager
    def patched() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            if isinstance(owner, dict):
                patch.setitem(owner, name, made(owner[name]))
            else:
                patch.setattr(owner, name, made(getattr(owner, name)))
            yield

    return patched()


def _times(call: Callable) -> Callable:
    return lambda *given: call(*given) * np.float32(FACTOR)


def _after(change: Callable[..., Any]) -> Callable[[Callable], Callable]:
    """Return what makes a call one whose result goes through `change`, with what was given."""
    return lambda call: lambda *given: change(call(*given), *given)


def _other_scale(_: None, transformer: Transformer, *__: Any) -> None:
    param = caffe_pb.TransformationParameter()
    param.CopyFrom(transformer.param)
    param.scale *= FACTOR
    transformer.param = param


def _other_mean(_: None, transformer: Transformer, *__: Any) -> None:
    transformer._mean = transformer._mean * np.float32(FACTOR)


def _other_mirror(drawn: tuple, *_: Any) -> tuple:
    return (~drawn[0], *drawn[1:])


def _other_row(drawn: tuple, *_: Any) -> tuple:
    return (drawn[0], np.maximum(drawn[1] - 1, 0), drawn[2])


def _other_column(drawn: tuple, *_: Any) -> tuple:
    return (*drawn[:2], np.maximum(drawn[2] - 1, 0))


#: What is broken of a transform -> (the word of a text that has it, method, what becomes of it).
_TRANSFORMS = {
    "scale": ("scale", "__init__", _after(_other_scale)),
    "mean": ("mean", "__init__", _after(_other_mean)),
    "mirror": ("mirror", "draw", _after(_other_mirror)),
    "row of a crop": ("crop", "draw", _after(_other_row)),
    "column of a crop": ("crop", "draw", _after(_other_column)),
}


def _breaks_of(source: Source, theirs: Arrays) -> Iterator[tuple[str, str, Undo[None]]]:
    """Yield (type, what is broken, a context in which it is)."""
    if source.type.startswith("filler"):
        yield source.type, "numbers", _patched(fillers._FILLERS, source.type.split()[1], _times)
        return
    layer = parse_text(source.text, caffe_pb.NetParameter).layer[0]
    made = create_layer(layer, Context(phase=0, rng=CaffeRng(0)))
    for index, top in enumerate(layer.top):
        some = bool((theirs[f"{top} 0"] != 0).any())
        broken = Break(source.type, f"t{index}", some)
        yield source.type, broken.words, break_layer(type(made), broken)
    if source.type == "WindowData":  # it transforms its windows itself
        return
    for what, (word, method, change) in _TRANSFORMS.items():
        if word in source.text:
            yield "transform", what, _patched(Transformer, method, change)


def break_sources(results: list[Arrays]) -> Counts:
    """Break every source, filler and transform; the sources' files are in the current folder."""
    found: Counts = {}
    for source, theirs in zip(SOURCES, results):
        for kind, what, broken in _breaks_of(source, theirs):
            counts = found.setdefault((kind, what, "engine"), [0, 0])
            with broken:
                counts[0] += bool(unequal(source_by_engine(source), theirs))
                counts[1] += 1
    return found


def _faster(rate: tuple, *_: Any) -> tuple:
    return (np.float32(rate[0] * np.float32(FACTOR)), *rate[1:])


def _larger_history(update: torch.Tensor, updater: Any, index: int, *_: Any) -> torch.Tensor:
    kept = update.clone()  # it may be the history itself
    updater.history[index].mul_(FACTOR)
    return kept


def _larger_second_history(update: torch.Tensor, updater: Any, index: int, *_: Any) -> torch.Tensor:
    updater.history[len(updater.learnable) + index].mul_(FACTOR)
    return update


def _larger_decay(call: Callable) -> Callable:
    def regularize(updater: Any, one: Any, gradient: torch.Tensor) -> None:
        before = gradient.clone()
        call(updater, one, gradient)
        gradient.add_((gradient - before) * (FACTOR - 1))

    return regularize


def _clipped_less(_: None, updater: Any, gradients: list[torch.Tensor], *__: Any) -> None:
    torch._foreach_mul_(gradients, FACTOR)


def _other_multiplier(_: None, updater: Any, *__: Any) -> None:
    for one in updater.learnable:
        if one.lr_mult == 2:
            one.spec.lr_mult *= FACTOR


def _rule_breaks(name: str) -> Iterator[tuple[str, Undo[None]]]:
    """Yield (what is broken, a context in which it is) of one of rules.RULES."""
    param = parse_text(rules.RULES[name], caffe_pb.SolverParameter)
    rule = updates._RULES[param.type]
    yield "update", _patched(rule, "_update", _times)
    yield "learning rate", _patched(solver, "learning_rate", _after(_faster))
    yield "lr_mult", _patched(updates.Updater, "__init__", _after(_other_multiplier))
    yield "history", _patched(rule, "_update", _after(_larger_history))
    if rule.histories == 2:
        yield "second history", _patched(rule, "_update", _after(_larger_second_history))
    yield "weight decay", _patched(updates.Updater, "_regularize", _larger_decay)
    if param.clip_gradients > 0:
        yield "clipped gradients", _patched(updates.Updater, "_clip", _after(_clipped_less))


def break_rules(results: dict[str, list[rules.Arrays]]) -> Counts:
    """Break every update rule and policy; the rules' files are in the current folder."""
    found: Counts = {}
    for name in rules.RULES:
        for order in rules.LIMITS:
            for what, broken in _rule_breaks(name):
                with broken:
                    wrong = rules.wrong(name, results[rules.path_of(name)], order)
                found[name, what, order] = [int(bool(wrong)), 1]
    return found


def _broken_model(model: Any, name: str, operation: str, by: float) -> Any:
    """Return the ONNX model with `operation` done to the output `name`; IsNaN gives 0 or 1."""
    broken = type(model)()
    broken.CopyFrom(model)
    for node in broken.graph.node:
        for names in (node.input, node.output):
            names[:] = [f"right_{name}" if one == name else one for one in names]
    if operation == "IsNaN":
        broken.graph.node.append(helper.make_node("IsNaN", [f"right_{name}"], ["nan"]))
        broken.graph.node.append(helper.make_node("Cast", ["nan"], [name], to=TensorProto.FLOAT))
        return broken
    broken.graph.initializer.append(helper.make_tensor("by", TensorProto.FLOAT, [], [by]))
    broken.graph.node.append(helper.make_node(operation, [f"right_{name}", "by"], [name]))
    return broken


def break_onnx(at_most: int | None = None) -> Counts:
    """Break every top of every layer type that has a converter."""
    found: Counts = {}
    for case in (CASES[index] for index in in_onnx.INDEX):
        tops = [(case.type, Break(case.type, f"t{i}").words, "ONNX") for i in range(case.tops)]
        done = all(key in found and found[key][1] == at_most for key in tops)
        if done or in_onnx.refusal_of(case):
            continue
        with tempfile.TemporaryDirectory() as folder:
            engine = in_onnx.opened(case, Path(folder))
        model = convert(engine)
        wanted = engine.blobs({f"b{i}": torch.from_numpy(b) for i, b in enumerate(case.bottoms)})
        for index, key in enumerate(tops):
            array = wanted[f"t{index}"].detach().numpy()
            some = bool((array[np.isfinite(array)] != 0).any())
            broken = Break(case.type, f"t{index}", some and not is_whole(case.type, f"t{index}"))
            how = ("Mul", FACTOR) if broken.by_factor else ("Add", 1.0)
            if not np.isfinite(array).any():
                how = ("IsNaN", 0.0)
            counts = found.setdefault(key, [0, 0])
            made = _broken_model(model, f"t{index}", *how)
            counts[0] += bool(in_onnx.wrong(engine, made, case.bottoms))
            counts[1] += 1
    return found
