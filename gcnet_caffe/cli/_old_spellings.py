"""Old spellings of options: they work for one release more, and one line gives the new one."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence


def replaced(program: str, words: Sequence[str], old: Mapping[str, str]) -> list[str]:
    """Return the words of a command line with the new spelling of each old option.

    Parameters
    ----------
    program : str
        ``gcnet VERB``, the first words of the lines on stderr.
    words : sequence of str
    old : mapping
        Old option -> new option, both with their dashes.
    """
    found = []
    for word in words:
        option, equals, value = word.partition("=")
        if option in old:
            say(program, option, old[option])
            word = f"{old[option]}{equals}{value}"
        found.append(word)
    return found


def say(program: str, old: str, new: str) -> None:
    """Write one line on stderr: `old` is spelled `new` now."""
    print(
        f"{program}: {old} is now {new}; the next release takes the new spelling only",
        file=sys.stderr,
    )
