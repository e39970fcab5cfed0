"""Training steps a second of S1R1, beside a module written by hand and what is possible at best.

`speed` has what runs as it is, `compiled` what torch.compile must compile first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch

from benchmarks.gpu_parts import Row, Run, roofline, said, solver_of, tree
from benchmarks.handwritten_s1r1 import make_step
from gcnet_caffe.engine.net import Net
from gcnet_caffe.engine.options import PRECISIONS

SOLVER = "solvers/ck_fold0.prototxt"
#: The part of what is possible at best that the engine should reach.
_AIM = 0.5


def rows(run: Run) -> Iterator[Row]:
    """Yield steps a second."""
    batch_size = 2 if run.small else 64
    can = roofline.measure(run)
    yield from can.rows()
    with tree(batch_size, images=24 if run.small else 512):
        solver = solver_of(SOLVER, run.device)
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
        compiled = run.part == "compiled"
        for name in ("tf32", "bf16") if compiled else PRECISIONS:
            for graphs in (False, True):
                options = {"precision": name, "compile": compiled, "cuda_graphs": graphs}
                words = _words(**options)
                if graphs and run.device.type == "cpu":
                    continue
                engine = _timed(run, lambda o=options: _engine(run, **o))
                hand = _timed(run, lambda o=options: _hand(run, batch_size, **o))
                yield _row(f"engine {words}", engine, f"{_part(engine, best[name])} of the best")
                yield _row(f"hand-written {words}", hand, _part(hand, best[name]))
                if not compiled and run.device.type == "cuda":
                    yield from _otherwise(run, words, options)


def _size(precision: str) -> int:
    return 2 if precision == "bf16" else 4


def _words(precision: str, compile: bool, cuda_graphs: bool) -> str:
    return precision + " --compile" * compile + " --cuda-graphs" * cuda_graphs


def _part(rate: float | str, best: float) -> str:
    return "" if isinstance(rate, str) else f"{rate / best:.2f}"


def _row(what: str, rate: float | str, note: str = "") -> Row:
    if isinstance(rate, str):
        return Row(what, "failed", limit=0 if what.startswith("engine") else None, note=rate)
    return Row(what, rate, "steps/s", note=note)


def _otherwise(run: Run, words: str, options: dict[str, Any]) -> Iterator[Row]:
    """Yield what other settings of the engine would give."""
    with _trials():
        fastest = _timed(run, lambda: _engine(run, **options))
    yield _row(f"engine {words}, algorithms chosen by trial", fastest)
    with mock.patch.object(Net, "use_channels_last", lambda *_: None):
        planes = _timed(run, lambda: _engine(run, **options))
    yield _row(f"engine {words}, blobs in Caffe's format", planes)


@contextlib.contextmanager
def _trials() -> Iterator[None]:
    """Let cuDNN take the fastest algorithm, whatever prepare_torch sets."""
    from benchmarks import gpu_parts

    def made(*given: Any, **options: Any) -> Any:
        solver = solver_of(*given, **options)
        torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = True, False
        return solver

    with mock.patch.object(gpu_parts, "solver_of", made), mock.patch(f"{__name__}.solver_of", made):
        yield


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


def _engine(run: Run, **options: Any) -> Callable[[], Any]:
    solver = solver_of(SOLVER, run.device, {"display": 0}, **options)
    solver.begin()
    return solver.advance  # type: ignore[no-any-return]


def _hand(
    run: Run, batch_size: int, precision: str, compile: bool, cuda_graphs: bool
) -> Callable[[], Any]:
    return make_step(
        batch_size, compile, device=run.device, bf16=precision == "bf16", graphed=cuda_graphs
    )
