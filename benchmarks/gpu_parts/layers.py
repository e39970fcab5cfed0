"""Every layer, forward and gradients: the device against the CPU, in the cases of the parity tests.

TF32 is off, then on. Errors are the largest difference over the largest number, of each array.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.gpu_parts import Row, Run, said
from gcnet_caffe.engine.device import prepare_torch
from gcnet_caffe.engine.options import EngineOptions
from tests.engine.parity.cases import CASES
from tests.engine.parity.run import by_engine, error

#: Layers that multiply matrices: TF32 rounds what they multiply to 11 bits.
PRODUCTS = {"Convolution", "Deconvolution", "InnerProduct", "LSTM", "RNN"}
LIMIT, LIMIT_OF_TF32 = 1e-4, 1e-2


def rows(run: Run) -> Iterator[Row]:
    """Yield the largest error of each layer type."""
    cases = CASES[::7] if run.small else CASES
    ways = ("layer", "training")
    wanted = {
        (index, way): by_engine(case, way) for index, case in enumerate(cases) for way in ways
    }
    for precision in ("fp32", "tf32"):
        prepare_torch(EngineOptions(precision=precision), run.device)
        worst: dict[str, Row] = {}
        for (index, way), theirs in wanted.items():
            case = cases[index]
            limit = LIMIT
            if precision == "tf32" and PRODUCTS & {layer.type for layer in case.net().layer}:
                limit = LIMIT_OF_TF32
            row = Row(f"{case.type}, {precision}", 0.0, "", limit, quiet=True)
            try:
                ours = by_engine(case, way, run.device)
                far = {name: error(ours[name], theirs[name]) for name in theirs}
                name = max(far, key=lambda name: far[name], default="")
                row.value, row.note = far.get(name, 0.0), f"{case.name}: {name} ({way})"
            except Exception as wrong:  # the other cases count, too
                row.value, row.note = float("inf"), f"{case.name} ({way}): {said(wrong)}"
            if case.type not in worst or row.value > worst[case.type].value:
                worst[case.type] = row
        yield from worst.values()
        largest = max(worst.values(), key=lambda row: row.value)
        plain = [row.value for row in worst.values() if row.limit == LIMIT]
        yield Row(
            f"{len(worst)} layer types and chains, {precision}, largest",
            largest.value,
            note=largest.note,
        )
        yield Row(f"those without products, {precision}, largest", float(np.max(plain)))
