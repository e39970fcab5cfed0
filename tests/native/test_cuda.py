"""The CUDA kernels compile where there is nvcc, and equal the CPU's loops where there is a GPU."""

import shutil
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "native"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if not shutil.which("nvcc"):
        pytest.skip("no nvcc: the CUDA kernels are not compiled")
    program = tmp_path_factory.mktemp("cuda") / "kernels"
    source = Path(__file__).with_name("kernels_cuda.cu")
    command = ["nvcc", "-Werror", "all-warnings", f"-I{NATIVE}", source, "-o", program]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return program


def test_kernels_compile(program):
    assert program.exists()


def test_kernels_equal_the_cpu(program):
    result = subprocess.run([program], capture_output=True, text=True)
    if result.returncode == 77:
        pytest.skip("no GPU: the CUDA kernels are compiled but not run")
    assert result.returncode == 0, result.stdout
