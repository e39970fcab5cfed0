"""Nets that are told the answer by the true reference: which, how, and what is said about it."""

import json

import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.datasets.expressions import CLASS_SETS
from gcnet_caffe.evaluation.evaluation import evaluate
from gcnet_caffe.evaluation.told import TOLD, note_of
from gcnet_caffe.nets import ALL_VARIANTS
from tests.evaluation.fixtures import net_of, write_pairs

NOISE = np.random.default_rng(0).integers(0, 256, (4, 66, 66), np.uint8)
#: Expressive, expressive, neutral, neutral: the last two are their own reference.
PAIRS = [(NOISE[0], NOISE[2]), (NOISE[1], NOISE[3]), (NOISE[2],) * 2, (NOISE[3],) * 2]
WITH_NEUTRAL = CLASS_SETS["cross7"]


def test_only_metric_is_told_and_only_where_neutral_is_a_class():
    methods = (*ALL_VARIANTS, "hog-svm")
    assert [name for name in methods if note_of(name, WITH_NEUTRAL)] == ["metric"]
    assert note_of("metric", CLASS_SETS["ck7"]) == ""


@pytest.mark.parametrize("variant, told", [("metric", True), ("S1R1", False)])
def test_a_neutral_query_differs_from_its_own_reference_in_nothing(tmp_path, variant, told):
    data = write_pairs(tmp_path / "data", PAIRS, [0, 1, 6, 6], WITH_NEUTRAL)
    scores, outputs = evaluate(*net_of(tmp_path, variant), data)
    found = [bool(row.any()) for row in outputs["delta"]]
    assert found == [True, True, not told, not told]
    assert scores.get("note") == (TOLD if told else None)


@pytest.mark.parametrize("classes, told", [(WITH_NEUTRAL, True), (CLASS_SETS["ck7"], False)])
def test_the_command_says_so(tmp_path, capsys, classes, told):
    net, weights = net_of(tmp_path, "metric")
    data = write_pairs(tmp_path / "data", PAIRS[:2], [0, 1], classes)
    words = f"--net {net} --weights {weights} --data {data} -o {tmp_path}/out"
    assert main(["evaluate", *words.split()]) == 0
    assert (TOLD in capsys.readouterr().out) == told
    scores = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert ("note" in scores) == told
