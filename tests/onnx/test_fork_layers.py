"""Layers of other Caffes as ONNX against the torch engine, which tests/engine/forks holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gcnet_caffe.errors import NetError
from gcnet_caffe.onnx.export import convert
from gcnet_caffe.onnx.layers import CONVERTERS
from tests.engine.forks.cases import CASES
from tests.engine.parity.other_mutations import _broken_model
from tests.engine.parity.run import opened as set_up
from tests.onnx.test_layers import opened, wrong

#: Words of a case's name -> what is said.
REFUSED = {
    "BN[](": "bn_mode: found LEARN",
    "sample_weights_test": "sample_weights_test: found true",
    "{ order: 3": "wanted 0 first: the batch",
    "{ order: 1": "wanted 0 first: the batch",
    "several at one place": "",
}
NAMES = {case.name: set_up(case).layers[-1].layer_type for case in CASES}
#: One case of each name: phases are alike, ONNX has TEST.
TRIED = [
    case
    for index, case in enumerate(CASES)
    if NAMES[case.name] in CONVERTERS
    and case.name not in [other.name for other in CASES[:index]]
    and not case.name.endswith(" TEST")
]


@pytest.mark.parametrize("case", TRIED, ids=[case.name for case in TRIED])
def test_layer(case, tmp_path: Path) -> None:
    engine = opened(case, tmp_path)
    said = next((text for words, text in REFUSED.items() if words in case.name), None)
    if said is not None:
        if said:
            with pytest.raises(NetError, match=said):
                convert(engine)
        return
    model = convert(engine)
    assert wrong(engine, model, case.bottoms) == []
    twice = [np.concatenate([bottom, bottom[::-1]]) for bottom in case.bottoms]
    assert wrong(engine, model, twice) == []
    assert wrong(engine, _broken_model(model, "t0", "Mul", 1.001), case.bottoms) == ["t0"]


def test_every_converter_of_theirs_is_tried() -> None:
    theirs = {
        name
        for name, function in CONVERTERS.items()
        if function.__module__.endswith(".forks") or "epthwise" in name
    }
    assert {NAMES[case.name] for case in TRIED} == theirs


def test_another_layer_is_refused_by_name(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.type == "PriorBox")
    with pytest.raises(NetError, match="type 'PriorBox' cannot be written as ONNX"):
        convert(opened(case, tmp_path))
