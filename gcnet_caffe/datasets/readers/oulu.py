"""Oulu-CASIA: sequences from neutral to peak, 80 subjects, six expressions.

Reference = first frame of the sequence; queries = its last three frames, and the first frame itself
as a neutral query. Frames are taken in their order, whatever their numbers: a later release has
other numbers. The folder of the subjects P001, P002, ... is found below --root:

  original       [B_OriginalImg/[B_OriginalImg/]]OriginalImg/VL/Strong, B_OriginalImg/VL/Strong
  pre-processed  PreProcess_Img | PreProcessImg | PreProcess, then VL_Acropped/Strong
  Kaggle         [Oulu_CASIA_NIR_VIS/]VL/Strong
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.readers._common import (
    SPELLINGS,
    add_frame_arguments,
    add_root,
    check_frames,
    existing,
    first_of,
    folders_in,
    images_in,
    sequence_rows,
)
from gcnet_caffe.datasets.readers.survey import Survey

_TOPS = (
    "",
    "OriginalImg/",
    "B_OriginalImg/",
    "B_OriginalImg/OriginalImg/",
    "B_OriginalImg/B_OriginalImg/OriginalImg/",
    "Oulu_CASIA_NIR_VIS/",
)
_CROPPED = tuple(
    f"{top}{name}/"
    for top in ("", "B_OriginalImg/", "Oulu_CASIA_NIR_VIS/")
    for name in ("PreProcess_Img", "PreProcessImg", "PreProcess")
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    add_root(parser, "folder that holds the Oulu-CASIA folders", "Oulu-CASIA")
    add_frame_arguments(parser, "its last frames")
    parser.add_argument("--camera", choices=("VL", "NI"), default="VL", help="visible or infrared")
    parser.add_argument(
        "--light", choices=("Strong", "Weak", "Dark"), default="Strong", help="illumination"
    )
    parser.add_argument(
        "--cropped", action="store_true", help="the pre-processed images (72x72) instead"
    )


def read(
    root: str | Path,
    frames: int = 3,
    neutral_queries: bool = True,
    camera: str = "VL",
    light: str = "Strong",
    cropped: bool = False,
    source: str = "Oulu-CASIA",
) -> tuple[list[Row], Survey]:
    """List the sequences of Oulu-CASIA.

    Parameters
    ----------
    root : str or Path
    frames : int
        Queries per sequence, counted from its end; never the first frame.
    neutral_queries : bool
        Whether the first frame is a query too, its own reference.
    camera, light : str
        See ``--help``.
    cropped : bool
        Whether to take the pre-processed images.
    source : str
        Name of the data set, for the manifest.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    UsageError
        There is no such folder, or `frames` is below 1.
    ManifestError
        The tree is not Oulu-CASIA's.
    """
    root = existing(root)
    check_frames(frames)
    kind = f"{camera}_Acropped" if cropped else camera
    names = [f"{top}{kind}/{light}" for top in (_CROPPED if cropped else _TOPS)]
    top = first_of(root, names, _subjects, "Oulu-CASIA subjects (P001, P002, ...)")
    survey, rows = Survey(where=top), list[Row]()
    for subject in _subjects(top):
        for folder in folders_in(subject):
            expression = SPELLINGS.get(folder.name.lower())
            paths = images_in(folder, survey)
            if expression is None:
                survey.skipped["folders that are not named after an expression"] += 1
            elif not paths:
                survey.skipped["sequences without frames"] += 1
            elif len(paths) == 1:
                survey.skipped["sequences of one frame"] += 1
            else:
                rows += sequence_rows(
                    paths,
                    list(range(1, len(paths)))[-frames:],
                    expression,
                    subject.name,
                    f"{subject.name}_{folder.name}",
                    source,
                    neutral_queries,
                )
    known = {
        "sequences": (len({row.sequence for row in rows}), 480),
        "subjects": (len({row.subject for row in rows}), 80),
    }
    return survey.finished(rows, "sequence (P001/Anger/000.jpeg, ...)", known)


def _subjects(folder: Path) -> list[Path]:
    return folders_in(folder, r"P\d{3}")
