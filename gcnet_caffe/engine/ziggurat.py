"""Normal numbers in float32 exactly as Boost 1.56 and later draw them from 32-bit words.

Source: boost/random/normal_distribution.hpp, exponential_distribution.hpp, uniform_01.hpp and
detail/int_float_pair.hpp: Marsaglia and Tsang's ziggurats of 128 and 256 layers.

A word's low byte is a layer and a sign, its other 24 bits a place in the layer. In 98.8 % of the
words that place is under the curve for certain, and the word is a number. Elsewhere, in the wedge
beside the curve, the next word decides whether there is a number. Beside the lowest layer is the
tail, which takes exponential numbers, from a ziggurat of their own, and any number of words.

What is float32 in Boost is float32 here, in the same order of operations, without fused
multiply-adds. Boost's tables are decimal constants; here they follow from the layers' equal areas,
which puts them off by 4e-14 at most (relative). That changes nothing: where an entry, or the
difference of two, is rounded to float32 or compared with a float32, the nearest change of the
outcome is more than 50 times as far away.
"""

from __future__ import annotations

import decimal
import math
from typing import Any, Callable, NamedTuple

import numpy as np
from numpy.typing import NDArray

_F = np.float32
_Floats = NDArray[np.float32]
_Indices = NDArray[np.intp]


class _Layers(NamedTuple):
    """Layer i is x[i] wide at its foot y[i], x[i + 1] wide at its head y[i + 1]. All float32."""

    x: _Floats
    y: _Floats
    overhang: _Floats  # x[i] - x[i + 1]
    height: _Floats  # y[i + 1] - y[i]
    outside: _Floats  # the smallest float32 that is not below x[i + 1], there a double


def _layers(
    count: int,
    start: float,
    area_of: Callable[[float], tuple[float, float]],
    inverse: Callable[[float], float],
) -> _Layers:
    """Return `count` layers of one area, the lowest with the tail beyond `start`."""
    area, height = area_of(start)
    feet, widths = [0.0, height], [area / height, start]
    while len(widths) < count:
        feet.append(feet[-1] + area / widths[-1])
        widths.append(inverse(feet[-1]))
    x, y = np.array([*widths, 0.0]), np.array([*feet, 1.0])
    head = x[1:].astype(_F)
    return _Layers(
        x=x.astype(_F),
        y=y.astype(_F),
        overhang=(x[:-1] - x[1:]).astype(_F),
        height=(y[1:] - y[:-1]).astype(_F),
        outside=np.where(head < x[1:], np.nextafter(head, _F(np.inf)), head),
    )


def _normal_area(start: float) -> tuple[float, float]:
    tail = math.sqrt(math.pi / 2) * math.erfc(start / math.sqrt(2))
    height = math.exp(-start * start / 2)
    return start * height + tail, height


def _exponential_area(start: float) -> tuple[float, float]:
    height = math.exp(-start)
    return (start + 1) * height, height


#: Where the tails start, for 128 and 256 layers (Marsaglia and Tsang 2000).
_NORMAL_START, _EXPONENTIAL_START = 3.4426198558966521214, 7.6971174701310497140
_N = _layers(128, _NORMAL_START, _normal_area, lambda y: math.sqrt(-2 * math.log(y)))
_E = _layers(256, _EXPONENTIAL_START, _exponential_area, lambda y: -math.log(y))

#: By a word's low byte: the number for one step of the other 24 bits, and from where it is outside.
_STEP = np.repeat(_N.x[:-1] * _F(2.0**-24), 2) * np.tile(np.array([-1, 1], _F), 128)
_OUTSIDE = np.repeat(_N.outside, 2)
_UNIT = _F(2.0**-32)


def standard_normal(block: NDArray[np.uint32], count: int) -> tuple[_Floats, int]:
    """Return up to `count` standard normal numbers of `block`, and how many words they took.

    Parameters
    ----------
    block : (n,) array of uint32
        The next words of the stream.
    count : int
        How many numbers are wanted, 1 or more.

    Returns
    -------
    numbers : (m,) array of float32
        m < `count` where `block` ends before the next number is decided. That number then starts
        with the first word that is not counted in `used`.
    used : int
        Never a part of a number's words.
    """
    low = block.astype(np.uint8)
    values = (block >> np.uint32(8)).astype(_F) * _STEP[low]
    starts = np.flatnonzero(np.abs(values) >= _OUTSIDE[low])
    ends, found = _decide(block, starts, values)
    length, place = len(block), 0
    gone: list[int] = []
    for start, end, is_number in zip(starts.tolist(), ends.tolist(), found.tolist()):
        if start < place:
            continue  # a word of the attempt before
        if end > len(block):
            length = start
            break
        gone.extend(range(start + is_number, end))
        place = end
    numbers = np.ones(length, bool)
    numbers[gone] = False
    chosen = np.flatnonzero(numbers)[:count]
    if len(chosen) < count:
        return values[chosen], length
    last = chosen[-1]
    at = np.searchsorted(starts, last)
    used = ends[at] if at < len(starts) and starts[at] == last else last + 1
    return values[chosen], int(used)


def _decide(
    block: NDArray[np.uint32], starts: _Indices, values: _Floats
) -> tuple[_Indices, NDArray[np.bool_]]:
    """Return where the attempts that start outside end, and which of them give a number.

    An end beyond the block: the block does not decide. A number of the tail is put into `values`.
    """
    layer = (block[starts] & np.uint32(0xFF)) >> np.uint32(1)
    uniform = block[np.minimum(starts + 1, len(block) - 1)].astype(_F) * _UNIT
    x = np.abs(values[starts])
    ends, found = starts + 2, _under_normal(layer, x, uniform)
    for at in np.flatnonzero((layer == 0) | (uniform == 1)):
        reader = _Reader(block, int(starts[at]) + 1)
        try:
            if layer[at] == 0:
                values[starts[at]] = np.copysign(_tail(reader), values[starts[at]])
                found[at] = True
            else:
                found[at] = _under_normal(layer[at], x[at], reader.uniform())
            ends[at] = reader.place
        except IndexError:
            ends[at] = len(block) + 1
    return ends, found


class _Reader:
    """Reads one word of a block after the other, from a place on. IndexError: beyond its end."""

    def __init__(self, block: NDArray[np.uint32], place: int) -> None:
        self._block, self.place = block, place

    def word(self) -> int:
        self.place += 1
        return int(self._block[self.place - 1])

    def uniform(self) -> np.float32:
        """Return a float32 in [0, 1). Words from 2^32 - 128 on are rounded to 1 and left out."""
        while True:
            number = _F(self.word()) * _UNIT
            if number < 1:
                return number


def _under_normal(layer: Any, x: Any, uniform: Any) -> Any:
    """Whether the point at x and height `uniform` of the layer is under exp(-x^2 / 2)."""
    y = _N.y[layer] + uniform * _N.height[layer]
    rest = _N.x[layer] - x
    above_diagonal = _N.overhang[layer] * uniform - rest
    above_tangent = y - (_N.y[layer] + rest * _N.y[layer] * _N.x[layer])
    convex = _N.x[layer] >= 1  # the curve is below the diagonal, above the tangent
    upper = np.where(convex, above_diagonal, above_tangent)
    lower = np.where(convex, above_tangent, above_diagonal)
    return (upper < 0) & ((lower < 0) | (y < _expf(-(x * x / _F(2)))))


def _under_exponential(layer: int, x: np.float32, uniform: np.float32) -> np.bool_:
    """Whether the point at x and height `uniform` of the layer is under exp(-x)."""
    y = _E.y[layer] + uniform * _E.height[layer]
    above_diagonal = _E.overhang[layer] * uniform - (_E.x[layer] - x)
    above_tangent = y - (_E.y[layer + 1] + (_E.x[layer + 1] - x) * _E.y[layer + 1])
    under: np.bool_ = (above_diagonal < 0) & ((above_tangent < 0) | (y < _expf(-x)))
    return under


def _tail(reader: _Reader) -> np.float32:
    start: np.float32 = _N.x[1]
    while True:
        x = _exponential(reader) / start
        y = _exponential(reader)
        if _F(2) * y > x * x:
            return x + start


def _exponential(reader: _Reader) -> np.float32:
    shift = _F(0)
    while True:
        word = reader.word()
        layer = word & 0xFF
        x: np.float32 = _F(word >> 8) * (_E.x[layer] * _F(2.0**-24))
        if x < _E.x[layer + 1]:
            return shift + x
        if layer == 0:
            shift += _E.x[1]
        elif _under_exponential(layer, x, reader.uniform()):
            return x + shift


#: 2^(i/32), each the nearest double, and the coefficients of a cubic that is 2^(r/32): see _expf.
_POWERS = np.array([float(decimal.Decimal(2) ** (decimal.Decimal(i) / 32)) for i in range(32)])
_CUBIC = (0.05550361559341535 / 32**3, 0.2402284522445722 / 32**2, 0.6931471806916203 / 32)
_PER_E = 32 * 1.4426950408889634  # 32 / ln 2


def _expf(x: Any) -> Any:
    """Return exp(x) as glibc's expf does, for float32 in [-8, 0].

    It is not always the float32 nearest to exp(x) (for 79,403 of the 1,090,519,041 numbers in
    [-8, 0] it is not), nor what numpy's float32 exp gives. This is glibc's formula in float64, and
    equals expf of glibc 2.31 (Debian 11's) and 2.36 for every float32 in [-8, 0], on processors
    with fused multiply-add and without.
    """
    scaled = x.astype(np.float64) * _PER_E
    whole = np.rint(scaled)
    rest = scaled - whole
    whole = whole.astype(np.int64)
    square = rest * rest
    power = (_CUBIC[0] * rest + _CUBIC[1]) * square + (_CUBIC[2] * rest + 1)
    return (power * np.ldexp(_POWERS[whole & 31], whole >> 5)).astype(_F)
