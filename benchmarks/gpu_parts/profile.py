"""Where the time of a step goes: the largest entries of PyTorch's profiler."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu_parts import Row, Run, solver_of, tree

_STEPS, _SHOWN = 10, 14


def rows(run: Run) -> Iterator[Row]:
    """Yield milliseconds a step of the largest kernels, and how long the GPU had nothing to do."""
    on_gpu = run.device.type == "cuda"
    steps = 1 if run.small else _STEPS
    settings: list[dict[str, Any]] = [{}]
    if on_gpu:
        settings += [{"precision": "tf32", "cuda_graphs": True}]
        settings += [{"precision": "bf16", "cuda_graphs": True}]
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * on_gpu
    with tree(batch_size=2 if run.small else None, images=24 if run.small else 512):
        for options in settings:
            solver = solver_of(run.solver, run.device, {"display": 0}, **options)
            solver.step(1 if run.small else 25)
            run.wait()
            with profile(activities=activities) as seen:
                solver.step(steps)
                run.wait()
            words = ", ".join(str(value) for value in options.values()) or "fp32"
            yield from _entries(seen, steps, on_gpu, words)


def _entries(seen: Any, steps: int, on_gpu: bool, words: str) -> Iterator[Row]:
    averages = seen.key_averages()
    if on_gpu:  # the kernels alone, not the operators that start them
        entries = [e for e in averages if str(e.device_type).endswith("CUDA")]
    else:
        entries = list(averages)
    times = {id(e): e.self_device_time_total if on_gpu else e.self_cpu_time_total for e in entries}
    total = sum(times.values()) / 1e3 / steps  # microseconds before
    calls = sum(e.count for e in entries) / steps
    yield Row(f"{words}: all", total, "ms/step", note=f"{calls:.0f} calls")
    for entry in sorted(entries, key=lambda e: -times[id(e)])[:_SHOWN]:
        spent = times[id(entry)] / 1e3 / steps
        note = f"{spent / total:.0%}, {entry.count / steps:.0f} calls {entry.key[60:160]}"
        yield Row(entry.key[:52], spent, "ms/step", note=note)
