"""Relative links and pictures of the documentation exist; the README's figures are the tests'."""

import re
import subprocess

import pytest

from tests.nets.test_in_caffe import LEARNABLE
from tests.scratch import ROOT


def documents():
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.split()


@pytest.mark.parametrize("document", documents())
def test_relative_links_exist(document):
    for link in re.findall(r"\]\(([^)#\s]+)", (ROOT / document).read_text()):
        if "://" not in link:
            assert ((ROOT / document).parent / link).exists(), link


def test_the_readmes_parameter_counts_are_those_counted_in_caffe():
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)`.*\| ([\d,]+) \| ([\d,]+) \|$", readme, re.M)
    assert {n: tuple(int(c.replace(",", "")) for c in counts) for n, *counts in rows} == LEARNABLE
