"""What the device can do, measured; and how fast a training step could be at best."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_parts import Row, Run
from gcnet_caffe.engine.device import prepare_torch
from gcnet_caffe.engine.options import PRECISIONS, EngineOptions

#: Layers that only look at their bottom in another way.
_VIEWS = {"Flatten", "Reshape", "Slice", "Split", "Silence"}


class Roofline(NamedTuple):
    """What the device can do.

    Attributes
    ----------
    bandwidth : float
        Bytes a second of a copy, read and written.
    rates : dict
        Precision -> floating-point operations a second of a large matrix product.
    """

    bandwidth: float
    rates: dict[str, float]

    def rows(self) -> list[Row]:
        """Return them as results."""
        found = [Row("copy, read and written", self.bandwidth / 1e9, "GB/s")]
        for name, rate in self.rates.items():
            found.append(Row(f"matrix product, {name}", rate / 1e12, "TFLOP/s"))
        return found


def seconds_of(run: Run, call: Callable[[], Any], budget: float) -> float:
    """Return the mean seconds of a call, repeated for `budget` seconds after three calls."""
    for _ in range(3):
        call()
    run.wait()
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < budget:
        for _ in range(1 if run.small else 10):
            call()
            count += 1
        run.wait()
    return (time.perf_counter() - start) / count


def measure(run: Run) -> Roofline:
    """Measure bandwidth and rates, on random numbers."""
    size = 2**20 if run.small else 2**30
    budget = 0.02 if run.small else 0.5
    source, target = torch.rand(2, size // 4, device=run.device)
    bandwidth = 2 * size / seconds_of(run, lambda: target.copy_(source), budget)
    side, rates = 128 if run.small else 8192, {}
    for name in PRECISIONS:
        prepare_torch(EngineOptions(precision=name), run.device)
        kind = torch.bfloat16 if name == "bf16" else torch.float32
        a, b = torch.randn(2, side, side, device=run.device, dtype=kind)
        rates[name] = 2 * side**3 / seconds_of(run, lambda a=a, b=b: a @ b, budget)
    return Roofline(bandwidth, rates)


def operations(solver: Any) -> int:
    """Count the floating-point operations of a step's convolutions and products."""
    with FlopCounterMode(display=False) as counted:
        solver.forward_backward()
    return int(counted.get_total_flops())


def numbers_moved(net: Any) -> int:
    """Count the numbers that a step must move to or from memory, if each layer does it once.

    Forward a layer reads its bottoms and writes its tops. Backward it reads its bottoms and the
    gradients of its tops, and writes the gradients of its bottoms. BatchNorm, Scale and ReLU after
    each other count as one layer, as the engine runs them.
    """
    count = 0
    for step in net._fused:
        if step.layer.layer_type not in _VIEWS:
            bottoms, tops = (
                sum(torch.Size(net.blob_shapes[number]).numel() for number in numbers)
                for numbers in (step.bottoms, step.tops)
            )
            count += 3 * bottoms + 2 * tops
    return count + 8 * sum(one.param.numel() for one in net.learnable)
