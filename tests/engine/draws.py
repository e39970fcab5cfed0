"""Lists of draws of random numbers, and states of the generator that lead to rare ones."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.engine.rng import CaffeRng
from gcnet_caffe.engine.ziggurat import _E, _N, _expf

_F = np.float32
#: What, how many and with which arguments: mean and std, low and high, a probability, a seed or the
#: index of a state. `word` takes one word, which shows the place in the stream. `exp` takes no
#: number from it: the exponential of `count` float32, from the bits `a` on.
ROW = np.dtype([("what", "S20"), ("count", "i4"), ("a", "f8"), ("b", "f8")])
Row = tuple[str, int, float, float]
WORD: Row = ("word", 1, 0, 0)
NO_STATES = np.zeros((0, 624), np.uint32)


def differing(
    caffe: ModuleType, folder: Path, rows: Iterable[Row], states: NDArray[np.uint32] = NO_STATES
) -> list[Any]:
    """Return the rows whose numbers are not real Caffe's, bit for bit, each with its number."""
    draws = np.array(list(rows), ROW)
    np.savez(folder / "draws.npz", draws=draws, states=states)
    program = Path(__file__).with_name("draws_in_caffe.py")
    caffe.run_python(program, folder, ["draws.npz", "found.npy"])
    theirs = np.load(folder / "found.npy")
    ours = np.array(list(_checksums(draws, states)), np.uint32)
    return [(int(index), *draws[index].tolist()) for index in np.flatnonzero(ours != theirs)]


def _checksums(draws: NDArray[Any], states: NDArray[np.uint32]) -> Iterator[int]:
    rng = CaffeRng(0)
    for what, count, a, b in draws.tolist():
        if what == b"seed":
            rng = CaffeRng(int(a))
            yield 0
        elif what == b"state":
            rng.set_state({"key": states[int(a)], "pos": 0})
            yield 0
        elif what == b"word":
            yield rng.seed()
        elif what == b"exp":
            bits = np.arange(int(a), int(a) + count, dtype=np.uint32)
            yield zlib.crc32(_expf(bits.view(_F)))
        elif what == b"gaussian":
            yield zlib.crc32(rng.gaussian(count, a, b))
        elif what == b"uniform":
            yield zlib.crc32(rng.uniform(count, a, b))
        else:
            yield zlib.crc32(rng.bernoulli(count, a).astype(np.int32))


def numbers(rows: Iterable[Row], what: str) -> int:
    """Return how many numbers of one kind the rows draw; of normal ones, with mean 0 and std 1."""
    normal = what == "gaussian"
    return sum(
        count
        for name, count, a, b in rows
        if name.startswith(what) and (not normal or (a, b) == (0, 1))
    )


def mixed(rng: np.random.Generator, total: int, most: int) -> Iterator[Row]:
    """Draw about `total` numbers, 1 to `most` at once: 8 of 10 normal, uniform, bernoulli."""
    while total > 0:
        count = int(np.exp(rng.uniform(0, np.log(most)))) if most > 1000 else rng.integers(1, most)
        total -= count
        what = rng.choice(["gaussian", "uniform", "bernoulli"], p=[0.8, 0.1, 0.1])
        yield _any(rng, what, int(count))


def _any(rng: np.random.Generator, what: str, count: int) -> Row:
    if what == "gaussian" and rng.random() < 0.85:
        return (what, count, 0, 1)  # every bit of every number shows
    if what == "gaussian":
        mean = rng.choice([0, 0, 1, -0.1, rng.normal(), 1e8, 1e-40])
        std = rng.choice([1, 1, 0.01, rng.lognormal(), rng.lognormal(0, 20), 1e-41, 3e38])
        return (what, count, float(_F(mean)), float(_F(std)))
    if what == "uniform":
        low = _F(rng.choice([0, -1, rng.normal(), rng.normal() * 10.0 ** rng.integers(-38, 38)]))
        high = low
        for _ in range(rng.choice([0, 1, 3])):
            high = np.nextafter(high, _F(np.inf))
        if rng.random() < 0.6:
            high = max(low, _F(rng.choice([1, -low, 1e-44, rng.normal() + 1, 3e38])))
        return (what, count, float(low), float(high))
    edge = 2.0 ** -rng.integers(1, 34)
    share = rng.choice([0, 1, 0.5, rng.random(), edge, 1 - edge, 1e-45, 15 / rng.integers(15, 999)])
    return (str(rng.choice(["bernoulli", "bernoulli unsigned"])), count, float(_F(share)), 0)


def rare(rng: np.random.Generator, count: int) -> tuple[list[Row], NDArray[np.uint32]]:
    """Return draws from states whose words lead to rare numbers: `count` of each kind."""
    kinds = [
        (_layers_ends, ("gaussian", 250, 0, 1)),
        (_layers_edges, ("gaussian", 250, 0, 1)),
        (_wedges, ("gaussian", 250, 0, 1)),
        (_tails, ("gaussian", 180, 0, 1)),
        (_ones, ("gaussian", 250, 0, 1)),
        (_ones, ("uniform", 400, -0.3, 0.3)),
        (_halves, ("bernoulli", 600, 0.5, 0)),
    ]
    states, rows = [], []
    for words, row in kinds:
        states.append(_untempered(words(rng, count)))
        for _ in range(count):
            rows += [("state", 0, len(rows) // 3, 0), row, WORD]
    return rows, np.concatenate(states)


def _words(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    return rng.integers(0, 2**32, (count, 624), np.uint32)


def _near(
    rng: np.random.Generator, x: Any, widths: NDArray[np.float32], layer: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """Return the upper 24 bits that lead to x, or a little beside it, in layers of these widths."""
    step = x / widths[layer].astype(float) * 2**24 + rng.integers(-2, 3, layer.shape)
    return np.clip(step, 0, 2**24 - 1).astype(np.uint32)


def _layers_ends(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """Places at the right ends of layers, often the lowest: tails, and the tails' exponentials."""
    words = _words(rng, count)
    ends = words | np.uint32(0xFFFFFF00) - rng.integers(0, 2**14, words.shape, np.uint32) * 256
    lowest = np.where(rng.random(words.shape) < 0.3, ends & 0xFFFFFF01, ends)
    return np.where(rng.random(words.shape) < 0.7, lowest, words).astype(np.uint32)


def _layers_edges(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """Places where a layer's rectangle ends, of both kinds, among words that start a tail."""
    normal, exponential, tail = (_words(rng, count) for _ in range(3))
    layer = (normal & 0xFF) >> 1
    normal = _near(rng, _N.x[layer + 1], _N.x, layer) << 8 | normal & 0xFF
    layer = exponential & 0xFF
    exponential = _near(rng, _E.x[layer + 1], _E.x, layer) << 8 | layer
    kind = rng.integers(0, 3, normal.shape)
    return np.choose(kind, [normal, exponential, tail & 1 | np.uint32(0xFFFF0000)])


def _wedges(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """A place in a wedge, then a height that is the curve's to about the last bit."""
    words = _words(rng, count)
    layer = (words[:, ::2] & 0xFF) >> 1
    inner = _N.x[layer + 1].astype(float)
    step = _near(rng, inner + (_N.x[layer] - inner) * rng.random(layer.shape), _N.x, layer)
    x = step * 2.0**-24 * _N.x[layer]
    height = (np.exp(-x * x / 2) - _N.y[layer]) / _N.height[layer] * 2**32
    height += rng.integers(-300, 300, layer.shape)
    words[:, ::2] = step << 8 | words[:, ::2] & 0xFF
    words[:, 1::2] = np.clip(height, 0, 2**32 - 1).astype(np.uint32)
    return words


def _tails(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """The start of a tail, then x and y with 2 y about x^2, where they are accepted or not."""
    words = _words(rng, count)
    words[:, ::3] = words[:, ::3] & 1 | np.uint32(0xFFFF0000)
    layer = rng.integers(1, 100, words[:, 1::3].shape, np.uint32)
    step = _near(rng, _E.x[layer + 1] * rng.random(layer.shape), _E.x, layer)
    words[:, 1::3] = step << 8 | layer
    x = (step * 2.0**-24 * _E.x[layer]).astype(np.float32) / _N.x[1]
    y = x * x / 2.0
    layer = (np.searchsorted(-_E.x, -y) - 2).clip(1).astype(np.uint32)
    words[:, 2::3] = _near(rng, y, _E.x, layer) << 8 | layer
    return words


def _ones(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """Words that are rounded to 1, which no uniform number is, among words that ask for one."""
    words, ends = _words(rng, count), _layers_ends(rng, count)
    kind = rng.choice(3, words.shape, p=[0.2, 0.5, 0.3])
    return np.choose(kind, [words | np.uint32(0xFFFFFF80), words, ends])


def _halves(rng: np.random.Generator, count: int) -> NDArray[np.uint32]:
    """Words that float32 rounds to 2^31, and their neighbours."""
    return rng.integers(2**31 - 300, 2**31 + 600, (count, 624), np.uint32)


def _untempered(words: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Return the state of mt19937 that gives these words: its tempering, undone step by step."""
    mixed = words ^ words >> 18
    mixed ^= mixed << 15 & 0xEFC60000
    state = mixed
    for _ in range(4):  # seven bits are right, then fourteen, ...
        state = mixed ^ state << 7 & 0x9D2C5680
    return state ^ state >> 11 ^ state >> 22
