"""The parts of benchmarks/gpu.py: each module has `rows(run)`, which yields results."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import torch

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Row:
    """One result.

    Attributes
    ----------
    what : str
    value : float, int or str
    unit : str
    limit : float or None
        The largest value that is good; None: there is no limit.
    note : str
    quiet : bool
        Whether it is shown only if it is worse than its limit; gpu.json has it always.
    """

    MARK: ClassVar[str] = "ROW "

    what: str
    value: float | int | str
    unit: str = ""
    limit: float | None = None
    note: str = ""
    quiet: bool = False

    @property
    def good(self) -> bool | None:
        """Whether the value is within its limit; None without a limit."""
        if self.limit is None:
            return None
        return not isinstance(self.value, str) and self.value <= self.limit

    def line(self) -> str:
        """Return what a worker prints."""
        return self.MARK + json.dumps({**asdict(self), "good": self.good})


@dataclass
class Run:
    """How a part runs.

    Attributes
    ----------
    part : str
        The part's name.
    device : torch.device
    small : bool
        Whether this is a rehearsal.
    out : Path
        The folder of the results.
    end : float
        When the part is ended, by time.monotonic().
    data : Path or None
    commit : str
    """

    part: str
    device: torch.device
    small: bool
    out: Path
    end: float
    data: Path | None = None
    commit: str = ""

    @property
    def solver(self) -> str:
        """The solver file that is trained: S1R1's, in a rehearsal that of the smaller cnn."""
        return f"solvers/ck_fold0{'_cnn' if self.small else ''}.prototxt"

    @property
    def gpus(self) -> list[str]:
        """The words of `gcnet train` for the device."""
        return ["-gpu", "0"] if self.device.type == "cuda" else []

    @property
    def left(self) -> float:
        """Seconds until the part is ended."""
        return self.end - time.monotonic()

    def wait(self) -> None:
        """Wait until the device has done all."""
        if self.device.type == "cuda":
            import torch

            torch.cuda.synchronize()


@contextlib.contextmanager
def tree(batch_size: int | None, images: int) -> Iterator[Path]:
    """Work in a folder with the committed nets and solvers over LMDBs of random faces."""
    from tests.scratch import make_tree

    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(make_tree(Path(folder), batch_size=batch_size, images=images))
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def solver_of(path: str, device: torch.device, changes: Any = None, **options: Any) -> Any:
    """Return the engine's Solver of the file `path`, without a log; `changes` are of its fields."""
    from gcnet_caffe.engine.device import prepare_torch
    from gcnet_caffe.engine.log import Log
    from gcnet_caffe.engine.options import EngineOptions
    from gcnet_caffe.engine.solver import Solver

    param = changed_solver(path, **(changes or {}))
    chosen = EngineOptions(**options)
    prepare_torch(chosen, device)
    return Solver(param, path, device, chosen, log=Log(io.StringIO()))


def changed_solver(path: str, **changes: Any) -> Any:
    """Return the SolverParameter of the file `path` without tests, its fields changed."""
    from gcnet_caffe.formats import read_solver

    param = read_solver(path)
    for field in ("test_interval", "test_iter", "snapshot"):
        param.ClearField(field)
    param.snapshot_after_train = False
    for field, value in changes.items():
        setattr(param, field, value)
    return param


def said(error: BaseException) -> str:
    """Return the first line of an error, and its type."""
    return f"{type(error).__name__}: {str(error).strip()[:300]}".splitlines()[0]
