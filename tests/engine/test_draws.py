"""The random numbers are Boost's, in real Caffe: bit for bit, and the place in the stream."""

import numpy as np
import pytest

from gcnet_caffe.engine import rng as engine_rng
from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.ziggurat import standard_normal
from tests.engine import draws

#: Seeds and counts whose numbers once differed, where one lay across the end of a block of words.
#: The last is an autoencoder's fills, sparse, with two per count: the numbers, then the mask.
SIZES = ((784, 1000), (1000, 500), (500, 250), (250, 30), (30, 250), (250, 500), (500, 1000))
AUTOENCODER = [
    row
    for inputs, outputs in (*SIZES, (1000, 784))
    for row in (
        ("gaussian", inputs * outputs, 0, 1),
        ("bernoulli", inputs * outputs, float(np.float32(15) / np.float32(outputs)), 0),
    )
]
KNOWN = [
    ("seed", 0, 12, 0),
    ("gaussian", 784_000, 0, 1),
    draws.WORD,
    ("seed", 0, 25, 0),
    ("gaussian", 784_000, 0, 1),
    draws.WORD,
    ("seed", 0, 1701, 0),
    *AUTOENCODER,
    draws.WORD,
]


@pytest.mark.caffe
def test_every_draw_is_real_caffes(caffe, tmp_path):
    rng = np.random.default_rng(0)
    rows, states = draws.rare(rng, 20)
    for seed in range(40):
        rows += [("seed", 0, seed, 0), *draws.mixed(rng, 15_000, 1000), draws.WORD]
        rows += [("seed", 0, 2**32 - 1 - seed, 0), *draws.mixed(rng, 30_000, 30_000), draws.WORD]
    rows += [("exp", 1000, int(bits), 0) for bits in rng.integers(2**31, 0xC0FFFC00, 300)]
    assert draws.differing(caffe, tmp_path, rows + KNOWN, states) == []


@pytest.mark.caffe
@pytest.mark.slow
def test_a_billion_normal_numbers_are_real_caffes(caffe, tmp_path):
    rng = np.random.default_rng(1)
    rows, states = draws.rare(rng, 2000)
    for seed in range(1000):
        rows += [("seed", 0, seed, 0), *draws.mixed(rng, 150_000, 1000), draws.WORD]
    for seed in rng.integers(0, 2**32, 300):
        rows += [("seed", 0, int(seed), 0), *draws.mixed(rng, 4_000_000, 3_000_000), draws.WORD]
    assert draws.numbers(rows, "gaussian") >= 10**9
    assert draws.numbers(rows, "uniform") >= 10**8 <= draws.numbers(rows, "bernoulli")
    assert draws.differing(caffe, tmp_path, rows, states) == []


@pytest.mark.caffe
@pytest.mark.slow
def test_the_exponential_of_every_float_that_can_occur_is_real_caffes(caffe, tmp_path):
    first, last, many = *np.array([-0.0, -8], np.float32).view(np.uint32).tolist(), 2**22
    rows = [("exp", min(many, last + 1 - at), at, 0) for at in range(first, last + 1, many)]
    assert draws.numbers(rows, "exp") == 1_090_519_041
    assert draws.differing(caffe, tmp_path, rows) == []


def test_a_block_may_end_anywhere(monkeypatch):
    """A number whose words lie in two blocks is drawn once, from all of its words."""
    words = CaffeRng(12).raw(500_000)
    tails = np.flatnonzero((words & 0xFE == 0) & (words > 0xF0000000))
    assert len(tails) > 200
    for tail in tails[20:40]:
        block = words[tail - 20 : tail + 40]
        numbers, used = standard_normal(block, 100)
        for end in range(1, len(block)):
            first, taken = standard_normal(block[:end], 100)
            second, rest = standard_normal(block[taken:], 100)
            assert np.array_equal(np.concatenate([first, second]), numbers), (tail, end)
            assert taken + rest == used and taken <= end
    whole, pieces = CaffeRng(25), CaffeRng(25)
    numbers = whole.gaussian(100_000, 0, 1)
    monkeypatch.setattr(engine_rng, "_BLOCK", 1000)
    assert np.array_equal(pieces.gaussian(100_000, 0, 1), numbers)
    assert pieces.seed() == whole.seed()
