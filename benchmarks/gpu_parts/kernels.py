"""The plug-in's CUDA kernels against its loops for the CPU, and under compute-sanitizer."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.gpu_parts import ROOT, Row, Run

_TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
#: The exit status of the program where there is no GPU.
_NO_GPU = 77


def rows(run: Run) -> Iterator[Row]:
    """Yield exit statuses: 0 is good."""
    if not shutil.which("nvcc"):
        yield Row("nvcc", "not here")
        return
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "kernels"
        source = ROOT / "tests" / "native" / "kernels_cuda.cu"
        chip = ["-arch=native"] if run.device.type == "cuda" else []
        command = ["nvcc", *chip, "-lineinfo", "-Werror", "all-warnings", f"-I{ROOT / 'native'}"]
        yield _row("compiled by nvcc", [*command, str(source), "-o", str(program)])
        equal = _row("equal the CPU's", [str(program)])
        if run.device.type == "cpu" and equal.value == _NO_GPU:
            equal.limit, equal.note = None, "no GPU"
        yield equal
        if not shutil.which("compute-sanitizer"):
            yield Row("compute-sanitizer", "not here")
            return
        for tool in _TOOLS:
            checked = ["compute-sanitizer", "--error-exitcode", "1", "--tool", tool, str(program)]
            yield _row(f"under {tool}", checked)


def _row(what: str, command: list[str]) -> Row:
    done = subprocess.run(command, capture_output=True, text=True)
    text = (done.stdout + done.stderr).strip()
    last = text.splitlines()[-1] if text else ""
    wrong = [line for line in text.splitlines() if "too much" in line or "ERROR SUMMARY" in line]
    note = "; ".join(wrong) or (last if done.returncode else "")
    return Row(what, done.returncode, "status", 0, note=note[:300])
