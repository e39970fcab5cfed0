"""`gcnet python`: scripts, modules and code in which `import caffe` is ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gcnet_caffe import cli
from tests.scratch import ROOT

SCRIPT = """
import sys
import caffe, caffe.io
from caffe import layers as L
from caffe.proto import caffe_pb2
from beside import word
print(__name__, caffe.__name__, caffe.io is sys.modules["gcnet_caffe.pycaffe.io"], word)
print(sys.argv[1:], caffe_pb2.LayerParameter().DESCRIPTOR.full_name)
if len(sys.argv) > 2:
    caffe.Net("missing.prototxt", caffe.TEST)
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gcnet_caffe.cli", "python", *words]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "GLOG_minloglevel": "2"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)


def test_a_script(tmp_path: Path) -> None:
    """With its own folder first on the path, its arguments, and errors as python shows them."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/script.py").write_text(SCRIPT)
    (tmp_path / "scripts/beside.py").write_text("word = 'found'")
    done = run(tmp_path, "scripts/script.py", "--summation", "")
    assert done.stdout.splitlines() == [
        "__main__ gcnet_caffe.pycaffe True found",
        "['--summation', ''] caffe.LayerParameter",
    ]
    assert done.returncode == 1
    assert done.stderr.splitlines()[1].endswith('script.py", line 10, in <module>')
    last = "NoFileError: Could not open file missing.prototxt: No such file or directory"
    assert done.stderr.splitlines()[-1].endswith(last)


def test_code_and_modules(tmp_path: Path) -> None:
    code = "import caffe, sys; print(caffe.solver_count(), sys.argv); sys.exit(3)"
    done = run(tmp_path, "--summation=caffe", "-c", code, "-v")
    assert (done.stdout, done.returncode) == ("1 ['-c', '-v']\n", 3)
    (tmp_path / "module.py").write_text("import caffe, sys; print(__name__, sys.argv[1:])")
    assert run(tmp_path, "-m", "module", "x").stdout == "__main__ ['x']\n"


@pytest.mark.parametrize(
    "words, said",
    [
        ([], "script: found nothing to run; wanted SCRIPT, -m or -c"),
        (["-m"], "-m: found nothing to run"),
        (["missing.py"], "missing.py: No such file or directory"),
        (["--summation", "old", "x.py"], "found 'old', wanted one of torch, caffe"),
    ],
)
def test_misuse_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    finders = list(sys.meta_path)
    assert cli.main(["python", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert sys.meta_path == finders
