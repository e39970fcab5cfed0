"""Expressions as face units."""

import numpy as np
import pytest

from gcnet_caffe.rendering.heads.acting import EXPRESSIONS, draw_expression, sides
from gcnet_caffe.rendering.heads.model import head

NAMES = sorted(EXPRESSIONS)


def drawn(name, intensity=1.0, count=40):
    return [draw_expression(name, np.random.default_rng(i), intensity) for i in range(count)]


@pytest.mark.parametrize("name", NAMES)
def test_an_expression_is_made_of_shapes_that_the_head_has(name):
    forms = EXPRESSIONS[name]
    assert sum(form.share for form in forms) == pytest.approx(1)
    for form in forms:
        for move in form.moves:
            assert 0 <= move.low < move.high and 0 < move.chance <= 1
            shapes = [move.unit[:-1] + side for side in ("Left", "Right")]
            for unit in shapes if move.unit.endswith("*") else sides(move.unit):
                assert f"unit/{unit}" in head()


@pytest.mark.parametrize("name", NAMES)
def test_the_intensity_scales_every_unit(name):
    for none, weak, full in zip(drawn(name, 0), drawn(name, 0.4), drawn(name)):
        assert set(none.values()) == {0}
        assert weak == pytest.approx({unit: 0.4 * strength for unit, strength in full.items()})


def test_people_show_an_expression_in_several_ways():
    for name in NAMES:
        assert len({frozenset(units) for units in drawn(name)}) > 1 or name in ("fear", "disgust")


def test_contempt_is_the_one_expression_of_one_side():
    for name in NAMES:
        sided = {"Left": 0.0, "Right": 0.0}
        for units in drawn(name):
            left, right = (
                sum(x for unit, x in units.items() if unit.endswith(side)) for side in sided
            )
            uneven = abs(left - right) / (left + right)
            assert (uneven > 0.5) == (name == "contempt")
            sided["Left" if left > right else "Right"] += 1
        assert min(sided.values()) > 8  # either side is the stronger one now and then
