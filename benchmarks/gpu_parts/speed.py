"""Training steps a second of S1R1, beside a module written by hand and what is possible at best.

`speed` has what runs as it is, `compiled` what torch.compile must compile first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

from benchmarks.gpu_parts import Row, Run, roofline, said, solver_of, tree
from benchmarks.handwritten_s1r1 import make_step
from gcnet_caffe.engine.device import prepare_torch
from gcnet_caffe.engine.layers.convolution import _Filters
from gcnet_caffe.engine.options import PRECISIONS, EngineOptions


def rows(run: Run) -> Iterator[Row]:
    """Yield steps a second."""
    batch_size = 2 if run.small else 64
    can = roofline.measure(run)
    yield from can.rows()
    with tree(batch_size, images=24 if run.small else 512):
        solver = solver_of(run.solver, run.device)
        flops, numbers = roofline.operations(solver), roofline.numbers_moved(solver.net)
        del solver
        yield Row("operations of a step", flops / 1e9, "GFLOP")
        yield Row("numbers moved in a step", numbers / 1e6, "million")
        best = {}
        for name in PRECISIONS:
            seconds = flops / can.rates[name], numbers * _size(name) / can.bandwidth
            best[name] = 1 / max(seconds)
            yield Row(
                f"best possible, {name}",
                best[name],
                "steps/s",
                note=f"products {seconds[0] * 1e3:.2f} ms, memory {seconds[1] * 1e3:.2f} ms",
            )
        compiled, on_gpu = run.part == "compiled", run.device.type == "cuda"
        settings = [
            {"precision": name, "compile": compiled, "cuda_graphs": graphs}
            for name in (("tf32", "bf16") if compiled else PRECISIONS)
            for graphs in ((False, True) if on_gpu else (False,))
            if graphs or not (on_gpu and compiled)
        ]
        for made, make in (("engine", _engine), ("hand-written", _hand)):
            for options in settings:
                rate = _timed(run, lambda m=make, o=options: m(run, batch_size, **o))
                yield _row(f"{made} {_words(**options)}", rate, best[options["precision"]])
        for options in settings:
            if options["cuda_graphs"] and not compiled:
                yield from _otherwise(run, batch_size, options, best[options["precision"]])


def _size(precision: str) -> int:
    return 2 if precision == "bf16" else 4


def _words(precision: str, compile: bool, cuda_graphs: bool) -> str:
    return precision + " --compile" * compile + " --cuda-graphs" * cuda_graphs


def _row(what: str, rate: float | str, best: float) -> Row:
    """Return a rate, and what part it is of the best possible; or that it failed."""
    if isinstance(rate, str):
        return Row(what, "failed", limit=0 if what.startswith("engine") else None, note=rate)
    return Row(what, rate, "steps/s", note=f"{rate / best:.2f} of the best possible")


def _otherwise(run: Run, batch_size: int, options: dict[str, Any], best: float) -> Iterator[Row]:
    """Yield what other settings of the engine would give."""
    fastest = _timed(run, lambda: _with_trials(run, batch_size, **options))
    yield _row(f"engine {_words(**options)}, algorithms by trial", fastest, best)
    with mock.patch.object(_Filters, "_suits_products", lambda _: False):
        by_cudnn = _timed(run, lambda: _engine(run, batch_size, **options))
    yield _row(f"engine {_words(**options)}, windows of one channel by cuDNN", by_cudnn, best)


def _timed(run: Run, make: Callable[[], Callable[[], Any]]) -> float | str:
    """Return the steps a second of what `make` returns, or its error."""
    if run.left < 5:
        return "no time was left"
    try:
        step = make()
        for _ in range(1 if run.small else 20):
            step()
        return 1 / roofline.seconds_of(run, step, 0.1 if run.small else 1.5)
    except Exception as wrong:  # the other settings count, too
        return said(wrong)


def _engine(run: Run, _: int, **options: Any) -> Callable[[], Any]:
    solver = solver_of(run.solver, run.device, {"display": 0}, **options)
    solver.begin()
    return solver.advance  # type: ignore[no-any-return]


def _with_trials(run: Run, batch_size: int, **options: Any) -> Callable[[], Any]:
    """Let cuDNN take the fastest algorithm of a trial, whatever prepare_torch has set."""
    step = _engine(run, batch_size, **options)
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = True, False
    return step


def _hand(
    run: Run, batch_size: int, precision: str, compile: bool, cuda_graphs: bool
) -> Callable[[], Any]:
    prepare_torch(EngineOptions(precision=precision), run.device)
    return make_step(
        batch_size, compile, device=run.device, bf16=precision == "bf16", graphed=cuda_graphs
    )
