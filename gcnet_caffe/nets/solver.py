"""Solver prototxts: section IV-A's numbers as defaults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Optional

from gcnet_caffe.errors import UsageError
from gcnet_caffe.formats import caffe_pb, to_text

TYPES = ("Nesterov", "Adam")

#: Readings of "a gamma term of 0.75" under Caffe's inv policy, base_lr (1 + gamma iter)^-power:
#: (gamma, power). docs/interpretation.md shows the curves.
GAMMA_READINGS = {
    "power-0.75": (1e-4, 0.75),  # Caffe's own reference schedule, whose power is the 0.75
    "gamma-0.75-power-0.75": (0.75, 0.75),
    "gamma-0.75-constant": (0.75, None),  # no power: Caffe's default 0, a constant rate
}


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class SolverOptions:
    """Options of a solver; names are Caffe's field names, defaults the paper's (section IV-A).

    Raises
    ------
    UsageError
        A value is out of its range; the message gives the flag.
    """

    net: str = _option("", "the net's prototxt")
    snapshot_prefix: str = _option("", "path prefix of the snapshots")
    base_lr: float = _option(0.001, "base learning rate")
    gamma_reading: str = _option(
        "power-0.75", f"reading of the paper's gamma: {', '.join(GAMMA_READINGS)}"
    )
    type: str = _option("Nesterov", f"update rule: {' or '.join(TYPES)}")
    momentum: float = _option(0.9, "Nesterov's momentum; Adam's first")
    momentum2: float = _option(0.999, "Adam's second momentum")
    weight_decay: float = _option(0.0001, "L2 weight decay")
    max_iter: int = _option(300000, "iterations to train")
    # Optional: read when the program runs, on Python 3.9 too
    clip_gradients: Optional[float] = _option(  # noqa: UP045
        None, "clip the gradient's L2 norm to this"
    )
    random_seed: Optional[int] = _option(  # noqa: UP045
        None, "seed of fillers, crops, mirrors and dropout"
    )
    display: int = _option(100, "iterations between log lines")
    snapshot: int = _option(10000, "iterations between snapshots")
    test_iter: int = _option(1, "TEST batches per test")
    test_interval: int = _option(1000, "iterations between tests")

    def __post_init__(self) -> None:
        if self.gamma_reading not in GAMMA_READINGS:
            raise UsageError(
                f"--gamma-reading: found {self.gamma_reading!r}, "
                f"wanted one of {', '.join(GAMMA_READINGS)}"
            )
        if self.type not in TYPES:
            raise UsageError(f"--type: found {self.type!r}, wanted one of {', '.join(TYPES)}")
        for name in ("base_lr", "max_iter", "test_iter", "test_interval"):
            if getattr(self, name) <= 0:
                raise UsageError(
                    f"--{name.replace('_', '-')}: found {getattr(self, name)}, wanted more than 0"
                )


def build_solver(options: SolverOptions) -> Any:
    """Return the SolverParameter for `options`.

    `solver_mode` is left out: `caffe train` then runs on the CPU without `-gpu` and on the GPU
    with it. There is no test before the first iteration, when BatchNorm has no statistics.
    `layer_wise_reduce` is off, since Caffe aborts on shared weights with several GPUs
    otherwise.
    """
    gamma, power = GAMMA_READINGS[options.gamma_reading]
    solver = caffe_pb.SolverParameter(
        net=options.net,
        type=options.type,
        base_lr=options.base_lr,
        lr_policy="inv",
        gamma=gamma,
        momentum=options.momentum,
        weight_decay=options.weight_decay,
        max_iter=options.max_iter,
        display=options.display,
        snapshot=options.snapshot,
        snapshot_prefix=options.snapshot_prefix,
        test_iter=[options.test_iter],
        test_interval=options.test_interval,
        test_initialization=False,
        layer_wise_reduce=False,
    )
    for name, value in (
        ("power", power),
        ("momentum2", options.momentum2 if options.type == "Adam" else None),
        ("clip_gradients", options.clip_gradients),
        ("random_seed", options.random_seed),
    ):
        if value is not None:
            setattr(solver, name, value)
    return solver


def solver_text(options: SolverOptions, header: Iterable[str] = ()) -> str:
    """Return the solver's prototxt, each line of `header` first as a comment."""
    return "".join(f"# {line}\n" for line in header) + to_text(build_solver(options))


def exact_test(count: int, largest: int = 128) -> tuple[int, int]:
    """Return (batch_size, test_iter) whose product is exactly `count` images.

    The batch is the largest divisor of `count` up to `largest`; Caffe's test cursor wraps, so
    that any other product would count some images twice or not at all.
    """
    batch_size = max(n for n in range(1, min(count, largest) + 1) if count % n == 0)
    return batch_size, count // batch_size
