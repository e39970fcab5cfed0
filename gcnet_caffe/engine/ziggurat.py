"""Normal numbers in float32 exactly as Boost 1.56 and later draw them from 32-bit words.

Source: boost/random/normal_distribution.hpp, exponential_distribution.hpp and uniform_01.hpp
(Marsaglia and Tsang's ziggurat of 128 and 256 layers). One word decides 98.8 % of the numbers.
"""

import math

import numpy as np

_F = np.float32
_SCALE = _F(2.0**-24)


def _tables(layers, start, area_of, inverse):
    """Return x and y of the layers: all of one area, the lowest with the tail beyond `start`."""
    height = area_of(start)[1]
    area = area_of(start)[0]
    x, y = [area / height, start], [0.0, height]
    while len(x) < layers:
        y.append(y[-1] + area / x[-1])
        x.append(inverse(y[-1]))
    return np.array([*x, 0.0]), np.array([*y, 1.0])


def _normal_area(start):
    tail = math.sqrt(math.pi / 2) * math.erfc(start / math.sqrt(2))
    height = math.exp(-start * start / 2)
    return start * height + tail, height


def _exponential_area(start):
    height = math.exp(-start)
    return (start + 1) * height, height


#: Where the tails start, for 128 and 256 layers (Marsaglia and Tsang 2000).
_NORMAL_START, _EXPONENTIAL_START = 3.4426198558966521214, 7.6971174701310497140
_NX, _NY = _tables(128, _NORMAL_START, _normal_area, lambda y: math.sqrt(-2 * math.log(y)))
_EX, _EY = _tables(256, _EXPONENTIAL_START, _exponential_area, lambda y: -math.log(y))
_NX32, _NY32, _EX32, _EY32 = (table.astype(_F) for table in (_NX, _NY, _EX, _EY))


def standard_normal(words, count):
    """Return `count` float32 standard normal numbers drawn from `words`, and how many it used.

    Parameters
    ----------
    words : callable
        words(n) returns the first n 32-bit words of the stream as a uint32 array.
    """
    block = words(count + count // 32 + 64)
    layer = (block & 0xFF).astype(np.intp)
    sign = ((layer & 1) * 2 - 1).astype(_F)
    layer >>= 1
    x = (block >> 8).astype(_F) * _SCALE * _NX32[layer]
    inside = x.astype(np.float64) < _NX[layer + 1]
    values, outside = x * sign, np.flatnonzero(~inside)
    found, filled, place = np.empty(count, _F), 0, 0
    reader = _Reader(words, block)
    for word in outside:
        if word < place:
            continue
        run = min(word - place, count - filled)
        found[filled : filled + run] = values[place : place + run]
        filled, place = filled + run, place + run
        if filled == count:
            return found, place
        reader.place = place + 1
        number = _outside(layer[word], x[word], reader)
        if number is not None:
            found[filled] = number * sign[word]
            filled += 1
        place = reader.place
        if filled == count:
            return found, place
    run = min(len(block) - place, count - filled)
    found[filled : filled + run] = values[place : place + run]
    if filled + run < count:
        rest, used = standard_normal(
            lambda n: words(n + place + run)[place + run :], count - filled - run
        )
        found[filled + run :] = rest
        return found, place + run + used
    return found, place + run


class _Reader:
    """Reads one word after the other from a place on."""

    def __init__(self, words, block):
        self._words, self._block, self.place = words, block, 0

    def word(self):
        if self.place >= len(self._block):
            self._block = self._words(self.place + 1024)
        self.place += 1
        return int(self._block[self.place - 1])

    def uniform(self):
        """A float32 in [0, 1)."""
        while True:
            number = _F(self.word()) * _F(2.0**-32)
            if number < 1:
                return number


def _outside(layer, x, reader):
    """Return the number of a word that fell outside its layer's rectangle; None to draw again."""
    if layer == 0:
        return _tail(reader)
    return _accepted(layer, x, reader, _NX, _NX32, _NY, _NY32, _NX[layer] >= 1, _normal_lower)


def _normal_lower(layer, x):
    return _NY32[layer] + (_NX32[layer] - x) * _NY32[layer] * _NX32[layer]


def _exponential_lower(layer, x):
    return _EY32[layer + 1] + (_EX32[layer + 1] - x) * _EY32[layer + 1]


def _accepted(layer, x, reader, tx, tx32, ty, ty32, convex, lower):
    uniform = reader.uniform()
    y = ty32[layer] + uniform * _F(ty[layer + 1] - ty[layer])
    above_diagonal = _F(tx[layer] - tx[layer + 1]) * uniform - (tx32[layer] - x)
    above_tangent = y - lower(layer, x)
    above_upper, above_lower = above_diagonal, above_tangent
    if not convex:
        above_upper, above_lower = above_tangent, above_diagonal
    density = np.exp(-(x * x / _F(2))) if tx is _NX else np.exp(-x)
    if above_upper < 0 and (above_lower < 0 or y < density):
        return x
    return None


def _tail(reader):
    start = _NX32[1]
    while True:
        x = _exponential(reader) / start
        y = _exponential(reader)
        if _F(2) * y > x * x:
            return x + start


def _exponential(reader):
    shift = _F(0)
    while True:
        word = reader.word()
        layer = word & 0xFF
        x = _F(word >> 8) * _SCALE * _EX32[layer]
        if x < _EX32[layer + 1]:
            return shift + x
        if layer == 0:
            shift += _EX32[1]
            continue
        if (
            _accepted(layer, x, reader, _EX, _EX32, _EY, _EY32, True, _exponential_lower)
            is not None
        ):
            return x + shift
