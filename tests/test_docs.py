"""Relative links and pictures of the documentation exist; the README's figures are the tests'."""

import importlib
import re
import shlex
import subprocess

import pytest

from gcnet_caffe.cli import _parser
from gcnet_caffe.datasets.manifest import COLUMNS
from gcnet_caffe.faces import align, augment
from tests.nets.test_in_caffe import LEARNABLE
from tests.scratch import ROOT


def documents():
    listed = subprocess.run(
        ["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return listed.stdout.split()


def links(document):
    """Return the (path, heading) of each link of a document to another place of this repository."""
    found = re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", (ROOT / document).read_text())
    return [(path, heading) for path, heading in found if "://" not in path]


def headings(path):
    """Return what a link to each heading of a page ends in."""
    lines = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", line.lower()).strip().replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", documents())
def test_relative_links_exist(document):
    for path, heading in links(document):
        page = (ROOT / document).parent / path if path else ROOT / document
        assert page.exists(), path
        assert not heading or heading in headings(page), (path, heading)


def test_there_are_documents_and_links():
    found = {document: links(document) for document in documents()}
    assert {"README.md", "docs/parity.md", "docs/predict.md"} <= found.keys()
    assert ("docs/parity.md", "") in found["README.md"]
    assert ("", "in-caffes-order") in found["docs/parity.md"]


def test_the_readmes_parameter_counts_are_those_counted_in_caffe():
    readme = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| `([\w -]+)`.*\| ([\d,]+) \| ([\d,]+) \|$", readme, re.M)
    assert len(rows) == len(LEARNABLE) > 5
    assert {n: tuple(int(c.replace(",", "")) for c in counts) for n, *counts in rows} == LEARNABLE


def test_the_augmentation_table_tells_the_ranges_of_the_code():
    page = (ROOT / "docs/datasets.md").read_text()
    tiles = "x".join(map(str, align.CLAHE_TILES))
    for step, told in (
        ("scaling", "{} to {}".format(*augment.SCALE_RANGE)),
        ("rotation", "{:g} to {:g} degrees".format(*augment.ANGLE_RANGE)),
        ("intensity", "{} to {}".format(*augment.GAIN_RANGE)),
        ("CLAHE", f"clip limit {align.CLAHE_CLIP_LIMIT}, {tiles} tiles"),
        ("gamma", "exponent {} to {}".format(*augment.GAMMA_RANGE)),
        (
            "light from one side",
            f"a plane, 1 in the middle, at an edge up to {augment.SLOPE_RANGE[1]} more or less",
        ),
        ("contrast", "{} to {}, about the mean".format(*augment.CONTRAST_RANGE)),
        (
            "blur, of half of the copies",
            "sigma {:g} to {:g} pixels of the crop".format(*augment.BLUR_RANGE),
        ),
        (
            "unsharp mask, of the others",
            "amount {:g} to {:g}, sigma 1 pixel".format(*augment.SHARPENING_RANGE),
        ),
        ("noise", "sigma {:g} to {:g} grey values".format(*augment.NOISE_RANGE)),
        (
            f"hidden rectangle, of {augment.PATCH_PROBABILITY:.0%}".replace("%", " %")
            + " of the copies",
            "sides of {} to {} pixels, its mean grey".format(*augment.PATCH_SIDES),
        ),
    ):
        assert re.search(rf"^\| {step} \|.*\| {re.escape(told)} \|$", page, re.M), step


def test_the_page_about_data_sets_lists_the_columns_of_a_manifest():
    page = (ROOT / "docs/datasets.md").read_text().split("\n## The manifest\n")[1]
    rows = re.findall(r"^\| (`.*?) \|", page.split("\n## ")[0], re.M)
    assert tuple(name for row in rows for name in re.findall(r"`(\w+)`", row)) == COLUMNS


@pytest.mark.parametrize("document", documents())
def test_commands_are_understood(document):
    """No `gcnet` command has an unknown verb or option, or lacks one that it needs."""
    for command in commands(document):
        verb, *options = shlex.split(command, comments=True)
        module = importlib.import_module(f"gcnet_caffe.cli.{verb.replace('-', '_')}")
        _parser(verb, module).parse_args(options)


def commands(document):
    """Return the indented `gcnet` commands, without `gcnet` and what stands in [brackets]."""
    text = re.sub(r" \[-.*?\]", "", (ROOT / document).read_text())
    found = re.findall(r"^    (?:\$ )?gcnet ([a-z-]+ (?:.*\\\n)*.*)", text, re.M)
    return [command.replace("\\\n", "") for command in found]


def test_there_are_commands():
    counts = [len(commands(f"{page}.md")) for page in ("README", "docs/datasets", "docs/predict")]
    assert min(counts) > 5 and counts[0] > 20
