"""The command and the Python of docs/onnx.md give what stands there."""

import re
import shlex
import subprocess
import sys
import textwrap

from tests.scratch import ROOT

PAGE = (ROOT / "docs/onnx.md").read_text()


def test_the_page(tmp_path):
    command, shown = re.search(r"^    \$ (.*)\n((?:    .*\n)*)", PAGE, re.M).groups()
    program, *words = shlex.split(command)
    assert program == "gcnet"
    code = "".join(re.findall(r"^    >>> (.*\n)", PAGE, re.M))
    printed = "".join(re.findall(r"^    >>> .*\n    (?!>>> )(.*\n)", PAGE, re.M))
    assert code.count("\n") > 3 and printed.strip() and shown.strip()
    for arguments, wanted in (
        (["-m", "gcnet_caffe.cli", *words], textwrap.dedent(shown)),
        (["-c", code], printed),
    ):
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, wanted), done.stderr
