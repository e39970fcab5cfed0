"""How the engine runs a net, beyond what Caffe's files say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gcnet_caffe.errors import UsageError

PRECISIONS = ("fp32", "tf32", "bf16")
RNGS = ("caffe", "device")
SUMMATIONS = ("torch", "caffe")
#: The kernels of OpenBLAS in whose order `--summation caffe` adds up (see caffe_order/blas.py).
KERNELS = "Sandybridge"


def _option(default: Any, text: str, choices: Sequence[str] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class EngineOptions:
    """The options of `gcnet train`, `test` and `time` that Caffe's tool does not have.

    Attributes
    ----------
    rng : str
        Random numbers: ``caffe`` (the same numbers as CPU Caffe's) or ``device`` (PyTorch's own);
        empty: caffe on the CPU, device on a GPU.
    summation : str
        Order of summation: ``torch``, or ``caffe`` (CPU Caffe's).
    precision : str
        ``fp32``, ``tf32`` (NVIDIA GPUs) or ``bf16`` (autocast).
    compile, cuda_graphs : bool
        Run the net through torch.compile; capture a training pass as a CUDA graph.
    threads : int
        CPU threads; 0 is PyTorch's default.
    data_limit : float
        GiB of each LMDB's decoded images that are held in memory.

    Raises
    ------
    UsageError
        A value is not one of these, or two options do not go together.
    """

    rng: str = _option(
        "",
        "random numbers: caffe (the same as CPU Caffe's) or device (PyTorch's own, faster "
        "on a GPU); default: caffe on the CPU, device on a GPU",
        RNGS,
    )
    summation: str = _option(
        "torch",
        "order of summation: torch (the fastest) or caffe (CPU Caffe's: the same numbers, where "
        "OpenBLAS has the same kernels; docs/parity.md)",
        SUMMATIONS,
    )
    precision: str = _option(
        "fp32", "numbers: tf32 is of NVIDIA GPUs, bf16 is autocast", PRECISIONS
    )
    compile: bool = _option(False, "run the net through torch.compile: a minute first, then faster")
    cuda_graphs: bool = _option(False, "capture forward and backward as a CUDA graph")
    threads: int = _option(0, "CPU threads; 0 is PyTorch's default")
    data_limit: float = _option(
        4.0, "GiB of an LMDB's decoded images held in memory; the others are read each time"
    )

    def __post_init__(self) -> None:
        for option, found, wanted in (
            ("precision", self.precision, PRECISIONS),
            ("rng", self.rng or "caffe", RNGS),
            ("summation", self.summation, SUMMATIONS),
        ):
            if found not in wanted:
                raise UsageError(f"--{option}: found {found!r}, wanted {', '.join(wanted)}")
        if self.summation == "caffe" and (self.compile or self.precision != "fp32"):
            raise UsageError("--summation caffe: cannot be used with --compile or --precision")
        if self.threads < 0 or self.data_limit < 0:
            raise UsageError("--threads, --data-limit: wanted 0 or more")
