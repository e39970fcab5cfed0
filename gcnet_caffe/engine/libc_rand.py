"""The numbers of the C library's rand(), from which std::random_shuffle draws.

Source: glibc stdlib/random_r.c (TYPE_3), libstdc++ bits/stl_algo.h (random_shuffle). Nothing in
Caffe calls srand(), so every process draws the same numbers, whatever random_seed says.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Any

_WORDS, _APART, _SKIPPED = 31, 3, 310


class LibcRand:
    """rand() of glibc after srand(1), as in a process that has just started."""

    def __init__(self) -> None:
        value, self._words = 1, [1]
        for _ in range(_WORDS - 1):
            value = 16807 * value % (2**31 - 1)
            self._words.append(value)
        self._at = _APART
        for _ in range(_SKIPPED):
            self.draw()

    def draw(self) -> int:
        """Return the next number, 0 to 2^31 - 1."""
        words, at = self._words, self._at
        words[at] = (words[at] + words[at - _APART]) % 2**32
        self._at = (at + 1) % _WORDS
        return words[at] >> 1

    def shuffle(self, items: MutableSequence[Any]) -> None:
        """Put `items` into another order, as std::random_shuffle does."""
        for last in range(1, len(items)):
            other = self.draw() % (last + 1)
            items[last], items[other] = items[other], items[last]

    @property
    def state(self) -> dict[str, Any]:
        """What `set_state` takes, as numbers that JSON keeps."""
        return {"words": list(self._words), "at": self._at}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from where `state` was taken."""
        self._words, self._at = list(state["words"]), state["at"]
