"""Which methods are told a part of the answer, so that they can be compared with no other."""

from __future__ import annotations

from collections.abc import Collection

from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.nets.gcnet import VARIANTS

#: What is said about the numbers of a method that is told a part of the answer.
TOLD = (
    "Do not compare metric with the others: it is given the true reference, which for a neutral "
    "query is the query itself, and so it is told which queries are neutral."
)


def note_of(method: str, classes: Collection[str]) -> str:
    """Return why the numbers of a method must not be compared with others'; '' if they may.

    The readers make the neutral image of a subject its own reference, and packing gives query and
    reference the same crop. A net that reads the reference then finds no difference at all.

    Parameters
    ----------
    method : str
        Of a net or baseline.
    classes : collection of str
        If neutral is none of them, no neutral query is tested.

    Returns
    -------
    str
        `TOLD` or ''.
    """
    has = VARIANTS.get(method)
    reads_reference = has is not None and has.compares and not has.generates
    return TOLD if reads_reference and NEUTRAL in classes else ""
