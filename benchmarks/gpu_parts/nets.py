"""A training step of every committed solver: the device against the CPU.

Both start from the same weights and have the same batch and masks (`--rng caffe`). fp32 has limits;
for tf32 and bf16 the table only says how far they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu_parts import Row, Run, said, solver_of, tree

#: Of the loss; and of all gradients together, ||found - wanted|| / ||wanted||: where two numbers
#: are nearly equal, a pooling's maximum or a ReLU's sign may be another one.
OF_LOSS, OF_GRADIENTS = 1e-4, 1e-2


def rows(run: Run) -> Iterator[Row]:
    """Yield the distance of loss and gradients of each solver."""
    with tree(batch_size=4, images=24) as folder:
        names = ["ck_fold0_cnn"] if run.small else _committed(folder)
        for name in names:
            wanted = _step(name, torch.device("cpu"), "fp32")
            for precision in ("fp32", "tf32", "bf16"):
                has_limit = precision == "fp32"
                try:
                    found = _step(name, run.device, precision)
                except Exception as wrong:  # the other solvers count, too
                    yield Row(f"{name}, {precision}", "failed", limit=0, note=said(wrong))
                    continue
                for what, limit in (("loss", OF_LOSS), ("gradients", OF_GRADIENTS)):
                    far = (found[what] - wanted[what]).norm() / wanted[what].norm()
                    value = float(far) if bool(far.isfinite()) else float("inf")
                    bound = limit if has_limit else 1.0
                    yield Row(
                        f"{name}, {precision}: {what}", value, "", bound, quiet=what == "loss"
                    )


def _committed(folder: Path) -> list[str]:
    """Return the solvers of fold 0 and of the pre-trainings."""
    names = sorted(path.stem for path in (folder / "solvers").glob("*.prototxt"))
    return [name for name in names if "fold0" in name or "fold" not in name]


def _step(name: str, device: torch.device, precision: str) -> dict[str, torch.Tensor]:
    changes: dict[str, Any] = {"random_seed": 1}
    path = f"solvers/{name}.prototxt"
    solver = solver_of(path, device, changes, rng="caffe", precision=precision)
    loss, _ = solver.forward_backward()
    gradients = [
        one.param.grad.double().cpu().reshape(-1)
        for one in solver.net.learnable
        if one.param.grad is not None
    ]
    solver.apply_update()
    return {"loss": torch.as_tensor(loss).double().cpu(), "gradients": torch.cat(gradients)}
