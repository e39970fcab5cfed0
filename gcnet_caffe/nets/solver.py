"""Solver prototxts: section IV-A's numbers as defaults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Optional

from gcnet_caffe.formats import caffe_pb, to_text
from gcnet_caffe.nets.options import POSITIVE, check, one_of, option

TYPES = ("Nesterov", "Adam")
LR_POLICIES = ("inv", "poly")

#: Readings of "a gamma term of 0.75" under Caffe's inv policy, base_lr (1 + gamma iter)^-power:
#: (gamma, power). docs/interpretation.md shows the curves.
GAMMA_READINGS = {
    "power-0.75": (1e-4, 0.75),  # Caffe's own reference schedule, whose power is the 0.75
    "gamma-0.75-power-0.75": (0.75, 0.75),
    "gamma-0.75-constant": (0.75, None),  # no power: Caffe's default 0, a constant rate
}


@dataclass(frozen=True)
class SolverOptions:
    """Options of a solver; names are Caffe's field names, defaults the paper's (section IV-A).

    Raises
    ------
    UsageError
        A value is out of its range; the message gives the flag.
    """

    net: str = option("", "the net's prototxt")
    snapshot_prefix: str = option("", "path prefix of the snapshots")
    base_lr: float = option(0.001, "base learning rate", POSITIVE)
    lr_policy: str = option(
        "inv",
        "how the rate falls: inv, the paper's, or poly, in a straight line to 0 at max_iter",
        one_of(LR_POLICIES),
    )
    gamma_reading: str = option(
        "power-0.75",
        "reading of the paper's gamma, for inv",
        one_of(tuple(GAMMA_READINGS)),
    )
    type: str = option("Nesterov", "update rule", one_of(TYPES))
    momentum: float = option(0.9, "Nesterov's momentum; Adam's first")
    momentum2: float = option(0.999, "Adam's second momentum")
    weight_decay: float = option(0.0001, "L2 weight decay")
    max_iter: int = option(300000, "iterations to train", POSITIVE)
    # Optional: read when the program runs, on Python 3.9 too
    clip_gradients: Optional[float] = option(  # noqa: UP045
        None, "clip the gradient's L2 norm to this"
    )
    random_seed: Optional[int] = option(  # noqa: UP045
        None, "seed of fillers, crops, mirrors and dropout"
    )
    display: int = option(100, "iterations between log lines")
    snapshot: int = option(10000, "iterations between snapshots")
    test_iter: int = option(1, "TEST batches per test", POSITIVE)
    test_interval: int = option(1000, "iterations between tests", POSITIVE)

    def __post_init__(self) -> None:
        check(self)


def build_solver(options: SolverOptions) -> Any:
    """Return the SolverParameter for `options`.

    `solver_mode` is left out: `caffe train` then runs on the CPU without `-gpu` and on the GPU
    with it. There is no test before the first iteration, when BatchNorm has no statistics.
    `layer_wise_reduce` is off, since Caffe aborts on shared weights with several GPUs
    otherwise.
    """
    falls: tuple[float | None, float | None] = GAMMA_READINGS[options.gamma_reading]
    gamma, power = (None, 1.0) if options.lr_policy == "poly" else falls
    solver = caffe_pb.SolverParameter(
        net=options.net,
        type=options.type,
        base_lr=options.base_lr,
        lr_policy=options.lr_policy,
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
        ("gamma", gamma),
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


def exact_test(count: int) -> tuple[int, int]:
    """Return (batch_size, test_iter) whose product is exactly `count` images.

    Caffe's test cursor wraps, so that any other product would count some images twice or not at
    all. The batch is the largest divisor of `count` up to 128. If that is below 16, it is the
    smallest divisor from 129 to 256, if there is one. Larger batches need too much memory: for
    S1R1, Caffe's blobs have 17 MB per image. Small ones are slow, and some counts have no other:
    2018 is tested in 1009 batches of 2.
    """
    divisors = [n for n in range(1, 257) if count % n == 0]
    batch_size = max(n for n in divisors if n <= 128)
    if batch_size < 16:
        batch_size = next((n for n in divisors if n > 128), batch_size)
    return batch_size, count // batch_size
