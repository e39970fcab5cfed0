"""The paper's evaluation protocols by name (sections IV-B, IV-F and appendix B)."""

from __future__ import annotations

from typing import NamedTuple

from gcnet_caffe.datasets.expressions import CLASS_SETS


class Protocol(NamedTuple):
    """How a manifest's rows become train and test images.

    Attributes
    ----------
    about : str
        One line for --help and the docs.
    classes : tuple of str
        Expression names in the order of their labels.
    folds : int
        Folds the subjects are dealt into; 0 where the test images are another data set's.
    only : tuple of int, optional
        The folds to test on; all by default.
    together : bool
        Whether the folds `only` are one test set; otherwise each is a test set of its own.
    drop : tuple of str
        Expressions whose images are left out.
    test : str
        The other data set's images to test on.
    """

    about: str
    classes: tuple[str, ...]
    folds: int = 10
    only: tuple[int, ...] | None = None
    together: bool = False
    drop: tuple[str, ...] = ()
    test: str = ""


def _cross(test: str) -> Protocol:
    about = f"train on sequences, test on {test}; 7 expressions with neutral"
    return Protocol(about, CLASS_SETS["cross7"], 0, drop=("contempt",), test=test)


PROTOCOLS = {
    "ck7": Protocol("CK+, 7 expressions, 10 folds by subject (table II)", CLASS_SETS["ck7"]),
    "ck8": Protocol("CK+, 7 expressions and neutral, 10 folds (table III)", CLASS_SETS["ck8"]),
    "mmi6": Protocol("MMI, 6 expressions, 10 folds by subject (table IV)", CLASS_SETS["mmi6"]),
    "oulu6": Protocol("Oulu-CASIA, 6 expressions, 10 folds (table V)", CLASS_SETS["oulu6"]),
    "figure11": Protocol(
        "CK+, folds 0 and 1 as one test set, the other eight to train (appendix B)",
        CLASS_SETS["ck7"],
        only=(0, 1),
        together=True,
    ),
    "figure11-two-runs": Protocol(
        "the other reading of figure 11: folds 0 and 1 tested one after the other",
        CLASS_SETS["ck7"],
        only=(0, 1),
    ),
    "cross-fer2013": _cross("FER2013's private test set"),
    "cross-sfew": _cross("SFEW 2.0's validation set"),
    "cross-raf": _cross("RAF-DB's test set"),
}

#: The names of the protocols with folds, and of those across data sets.
WITHIN = tuple(name for name, protocol in PROTOCOLS.items() if protocol.folds)
ACROSS = tuple(name for name, protocol in PROTOCOLS.items() if not protocol.folds)
