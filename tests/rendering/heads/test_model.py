"""The head and its shapes."""

import numpy as np
import pytest

from gcnet_caffe.rendering.heads.model import FILE, MATERIALS, head


def test_shapes_add_up():
    a, b = "nose/nose-hump-incr", "unit/jawOpen"
    both = head().moved({a: 0.5, b: -0.7})
    apart = 0.5 * head().moved({a: 1.0}) - 0.7 * head().moved({b: 1.0})
    np.testing.assert_allclose(both, apart, atol=1e-6)
    assert np.abs(head().moved({b: 1.0})).max() > 0.1  # the jaw moves by a centimetre and more


@pytest.mark.parametrize("unit", ["mouthSmile", "browDown", "eyeBlink"])
def test_left_is_the_subjects_left(unit):
    moved = np.linalg.norm(head().moved({f"unit/{unit}Left": 1.0}), axis=1)
    x = head().base[:, 0]
    assert moved[x > 0.02].sum() > 5 * moved[x < -0.02].sum()


def test_every_material_is_there_and_every_corner_is_in_the_textures():
    assert set(head().materials) == set(range(len(MATERIALS)))
    assert head().triangles.max() == len(head().vertex) - 1
    assert head().faces.max() == len(head().base) - 1
    assert head().uv.min() >= 0 and head().uv.max() <= 1
    for texture in head().textures.values():
        assert texture.shape == (512, 512) and texture.min() == 0 and 0.9 < texture.max() <= 1.1


def test_the_licence_of_the_shapes_is_beside_them():
    text = FILE.with_name("head.LICENSE.txt").read_text()
    assert "Creative Commons CC0 1.0 Universal" in text and "Mika Suominen" in text
