"""Real Caffe for the tests: programs of the image that `make image` builds.

A test takes the fixture `caffe` (tests/conftest.py), which is this module, and is marked
`@pytest.mark.caffe`. What a program reads and writes lies in the `cwd` it is given.
"""

import functools
import os
import subprocess
from pathlib import Path

from gcnet_caffe.engine.options import KERNELS
from tests import processes

LAUNCHER = Path(__file__).resolve().parent.parent / "docker" / "caffe"


@functools.cache
def missing():
    """Return why real Caffe cannot run here, or None."""
    result = subprocess.run([LAUNCHER, "caffe", "--version"], capture_output=True, text=True)
    return None if result.returncode == 0 else result.stderr.strip() or "docker/caffe failed"


def run(args, cwd, threads=1, check=True, **env):
    """Run a program of the image in `cwd`, with `threads` BLAS threads and the same BLAS kernels.

    Left to itself OpenBLAS takes those that it knows for the processor at hand, and every processor
    gives other numbers.

    Parameters
    ----------
    args : sequence of str
        The program and its arguments.
    check : bool
        Whether a failure of the program fails the test, with the end of its log.
    env : str
        Further environment variables, of those that docker/caffe passes on (GLOG_...).

    Returns
    -------
    subprocess.CompletedProcess
        `stdout` and `stderr` are text.
    """
    result = subprocess.run(
        [LAUNCHER, *map(str, args)],
        cwd=cwd,
        env={**os.environ, **_openblas(threads), **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=processes.PATIENCE,
    )
    if check and result.returncode:
        raise AssertionError(
            f"{' '.join(map(str, args))[:200]}: exit {result.returncode}\n{result.stderr[-3000:]}"
        )
    return result


def _openblas(threads):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {"OPENBLAS_CORETYPE": KERNELS, **dict.fromkeys(names, str(threads))}


def run_caffe(args, cwd, **options):
    """Run `caffe` with `args` (`["train", "-solver", ...]`); the rest as for `run`."""
    return run(["caffe", *args], cwd, **options)


def run_python(script, cwd, args=(), **options):
    """Run `script`, a Path or Python source, where pycaffe has the plug-in's layers.

    numpy, OpenCV, lmdb and this checkout are importable. Results are exchanged through files in
    `cwd` (np.savez, json) or `stdout`. The rest as for `run`.
    """
    what = [script] if isinstance(script, Path) else ["-c", script]
    return run(
        ["env", "LD_PRELOAD=libgcnet_layers.so", "python3", *what, *args],
        cwd,
        **{"GLOG_minloglevel": "2", **options},
    )
