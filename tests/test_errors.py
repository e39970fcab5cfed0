"""The errors, and what they say of a missing extra."""

from __future__ import annotations

import re
import sys

import pytest

from gcnet_caffe.errors import EXTRA_PYTHON, UsageError, extra
from tests.scratch import ROOT


def test_the_pythons_of_the_extras_are_those_of_pyproject() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    found = {}
    for part in re.split(r"\n(?=\w+ = \[)", section.strip()):
        without_other = "python_version <" not in part  # such as leveldb's, for older Pythons
        for minor in re.findall(r"python_version >= '3\.(\d+)'", part) if without_other else ():
            found[part.partition(" ")[0]] = (3, int(minor))
    assert found == EXTRA_PYTHON


@pytest.mark.parametrize(
    "version, said",
    [
        ((3, 9, 2), "the page: found Python 3.9, wanted 3.10 or newer"),
        ((3, 10, 0), "the page needs nosuch_library: pip install 'gcnet-caffe[web]'"),
    ],
)
def test_an_extra_that_this_python_cannot_have(
    version: tuple[int, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    with pytest.raises(UsageError) as error, extra("web", "the page"):
        import nosuch_library  # noqa: F401
    assert str(error.value) == said
