"""Natural order of identifiers: numbers inside them count as numbers (s2 before s10)."""

import re


def natural_key(text):
    """Sort key under which digits compare by value and everything else as text.

    ``"S005"`` and ``"S5"`` have the same key.
    """
    parts = re.split(r"(\d+)", text)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]
