"""Natural order of identifiers: numbers inside them count as numbers (s2 before s10)."""

from __future__ import annotations

import re


def natural_key(text: str) -> list[int | str]:
    """Return a sort key: digits compare by value, everything else as text.

    Parameters
    ----------
    text : str

    Returns
    -------
    list
        ``"S005"`` and ``"S5"`` have the same key.
    """
    parts = re.split(r"(\d+)", text)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]
