"""Expression names and the labels they get: a name's label is its position in the class list.

Neutral always has the highest label. In a class list without neutral, neutral queries carry the
label K (the number of classes), which the classifier ignores; only the pair loss sees them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gcnet_caffe.errors import ManifestError, UsageError, shown

if TYPE_CHECKING:
    from gcnet_caffe.datasets.manifest import Row

NEUTRAL = "neutral"

_CK = ("anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")

_SIX = tuple(name for name in _CK if name != "contempt")

#: The class lists that have a name of their own.
CLASS_SETS = {
    "ck7": _CK,
    "ck8": (*_CK, NEUTRAL),
    "mmi6": _SIX,
    "oulu6": _SIX,
    "cross7": (*_SIX, NEUTRAL),
}


def parse_classes(text: str) -> tuple[str, ...]:
    """Return a class list.

    Parameters
    ----------
    text : str
        The name of one of `CLASS_SETS` (``ck7``), or the classes themselves (``happy,sad,wink``).

    Returns
    -------
    tuple of str
        Expression names; a name's label is its position.

    Raises
    ------
    UsageError
        A name is empty or given twice, there are fewer than two, or neutral is not the last.
    """
    if text in CLASS_SETS:
        return CLASS_SETS[text]
    names = tuple(name.strip() for name in text.split(","))
    if len(names) < 2:
        raise UsageError(
            f"--classes {text}: found one name; wanted those of all classes, in the order of their "
            f"labels (happy,sad,...), or one of {', '.join(CLASS_SETS)}"
        )
    if "" in names or len(set(names)) < len(names):
        raise UsageError(f"--classes {text}: a name is empty or given twice")
    if NEUTRAL in names[:-1]:
        raise UsageError(f"--classes {text}: {NEUTRAL} must be the last class")
    return names


def labels_of(rows: Sequence[Row], classes: Sequence[str], manifest: str | Path) -> list[int]:
    """Return the label of each manifest row.

    Parameters
    ----------
    rows : sequence of Row
    classes : sequence of str
    manifest : str or Path
        The manifest's name, for the error message.

    Returns
    -------
    list of int
        0..K-1, and K for neutral queries where neutral is no class.

    Raises
    ------
    ManifestError
        A row's expression is not one of `classes`.
    """
    labels = {name: label for label, name in enumerate(classes)}
    labels.setdefault(NEUTRAL, len(classes))
    for number, row in enumerate(rows, start=1):
        if row.expression not in labels:
            raise ManifestError(
                f"{manifest}: row {number}: column 'expression': unknown expression "
                f"{shown(row.expression)}; wanted one of {', '.join(labels)}; other "
                "classes: `make-lmdb pairs --classes`; other names: `make-manifest pattern "
                "--expressions FOUND=NAME,...`"
            )
    return [labels[row.expression] for row in rows]
