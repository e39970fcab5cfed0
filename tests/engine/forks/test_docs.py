"""docs/forks.md has every layer, and every field, that forks.proto adds to Caffe's messages."""

from __future__ import annotations

import re

from gcnet_caffe.formats._messages import _compiled
from tests.engine.forks.cases import CASES
from tests.scratch import ROOT

PAGE = (ROOT / "docs/forks.md").read_text()


def test_every_layer_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`\w.*?) \|", PAGE.split("## Fields")[0], re.M)
    found = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert set(found) == {"DenseImageData", *(case.type for case in CASES)}


def test_every_field_is_named() -> None:
    caffe, forks = (_compiled(f"{name}.desc").message_type for name in ("caffe", "forks"))
    shared = {message.name for message in caffe}
    words = set(re.findall(r"\w+", PAGE))
    for message in forks:
        for field in message.field if message.name in shared else ():
            assert field.name in words or field.name.endswith("_param"), field.name
