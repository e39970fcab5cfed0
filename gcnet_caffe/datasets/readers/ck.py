"""CK+ (extended Cohn-Kanade): sequences from neutral to peak.

Reference = first frame of the sequence; queries = its last three frames, and the first frame itself
as a neutral query. Sequences without an Emotion file are left out. The five landmarks come from the
68 points of the Landmarks folder if there is one.

The folders are found below --root, or below --root/CK+:

  images     cohn-kanade-images | extended-cohn-kanade-images/cohn-kanade-images
             | Cohn-Kanade Images
  Emotion    Emotion | Emotion_labels/Emotion | Emotion_labels
  Landmarks  Landmarks | Landmarks/Landmarks

CK+48 (last frames only) and ckextended.csv (no subjects) are refused: pairs and folds cannot be
made from them.
"""

from __future__ import annotations

import argparse
import functools
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.datasets.readers._common import (
    add_frame_arguments,
    add_root,
    check_frames,
    class_folders,
    contents,
    existing,
    folders_in,
    sequence_rows,
)
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.faces.landmarks import five_from_68

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Expression names by the number in an Emotion file.
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")

_TOPS = ("", "CK+")
_IMAGES = (
    "cohn-kanade-images",
    "extended-cohn-kanade-images/cohn-kanade-images",
    "Cohn-Kanade Images",
)
_EMOTION = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")
_LANDMARKS = ("Landmarks", "Landmarks/Landmarks")

_CSV = (
    "CK+ as a csv has no subject ids, so no folds by subject, and no sequences; wanted "
    "the official folders"
)
_SUBJECT, _SEQUENCE = r"S\d+", r"\d+"
_FRAME = re.compile(r"S\d+_\d+_\d+\.(png|jpe?g|tiff?)", re.IGNORECASE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    add_root(parser, "folder that holds the CK+ folders", "CK+")
    add_frame_arguments(parser, "its last frames")


def read(
    root: str | Path, frames: int = 3, neutral_queries: bool = True, source: str = "CK+"
) -> tuple[list[Row], Survey]:
    """List the labelled sequences of CK+.

    Parameters
    ----------
    root : str or Path
    frames : int
        Queries per sequence, counted from its end; never the first frame.
    neutral_queries : bool
        Whether the first frame is a query too, its own reference.
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
        The tree is not CK+'s, or a label or landmark file is wrong.
    """
    root = existing(root)
    check_frames(frames)
    images = _tree(root, _IMAGES)
    if not images:
        _refuse_repackaged(root)
        raise _missing(root, _IMAGES, "images")
    emotions = _tree(root, _EMOTION)
    if not emotions:
        raise _missing(root, _EMOTION, "Emotion labels")
    landmarks = _tree(root, _LANDMARKS)
    survey, rows, seen = Survey(where=images), [], []
    for sequence in _sequences(images):
        paths = _frames(sequence)
        if not paths:
            survey.skipped["sequences without frames"] += 1
            continue
        seen.append(sequence)
        label = _emotion(emotions / sequence.relative_to(images))
        if label is None:
            survey.skipped["sequences without an Emotion label"] += 1
        elif label == 0:
            survey.skipped["sequences labelled neutral"] += 1
        elif len(paths) == 1:
            survey.skipped["sequences of one frame"] += 1
        else:
            own_landmarks = landmarks and landmarks / sequence.relative_to(images)
            rows += sequence_rows(
                paths,
                list(range(1, len(paths)))[-frames:],
                EMOTIONS[label],
                subject=paths[0].name.split("_")[0],
                sequence="_".join(paths[0].name.split("_")[:2]),
                source=source,
                neutral_queries=neutral_queries,
                points=functools.partial(_five_points, own_landmarks),
            )
    if not rows:
        raise ManifestError(
            f"{root}: no labelled sequence in {images} and {emotions}{survey.instead()}"
        )
    survey.known = _published(seen, rows)
    return rows, survey


def _refuse_repackaged(root: Path) -> None:
    """Refuse the re-packagings of CK+ that lack what pairs or folds need."""
    if root.suffix.lower() == ".csv":
        raise ManifestError(f"{root}: {_CSV}")
    for folder in (root, root / "CK+48", root / "ck/CK+48"):
        if folder.is_dir() and "anger" in class_folders(folder):
            raise ManifestError(
                f"{folder}: the last frames only (CK+48): without neutral frames there are no "
                "reference images; wanted the official folders with whole sequences"
            )
    for file in root.glob("ckextended*.csv"):
        raise ManifestError(f"{file}: {_CSV}")


def _candidates(root: Path, names: Sequence[str]) -> list[Path]:
    return [root / top / name for top in _TOPS for name in names]


def _tree(root: Path, names: Sequence[str]) -> Path | None:
    """The first folder of `names` that holds subjects, or None."""
    for folder in _candidates(root, names):
        if folder.is_dir() and folders_in(folder, _SUBJECT):
            return folder
    return None


def _missing(root: Path, names: Sequence[str], wanted: str) -> ManifestError:
    looked = ", ".join(path.relative_to(root).as_posix() for path in _candidates(root, names))
    return ManifestError(
        f"{root}: no CK+ {wanted} (S005, S010, ...); looked in {looked}; found {contents(root)}"
    )


def _sequences(images: Path) -> Iterator[Path]:
    for subject in folders_in(images, _SUBJECT):
        yield from folders_in(subject, _SEQUENCE)


def _frames(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if _FRAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: natural_key(path.name))


def _emotion(folder: Path) -> int | None:
    """The number in the sequence's Emotion file, None where there is no file."""
    files = list(folder.glob("S*_emotion.txt"))
    if not files:
        return None
    text = files[0].read_text(errors="replace").strip()
    try:
        label = float(text)
    except ValueError:
        label = np.nan
    if label not in range(len(EMOTIONS)):
        raise ManifestError(f"{files[0]}: {shown(text)}; wanted one number from 0 to 7")
    return int(label)


def _five_points(folder: Path | None, frame: Path) -> NDArray[np.float64] | None:
    """The five landmarks of a frame; None where there is no file."""
    path = folder and folder / f"{frame.stem}_landmarks.txt"
    if not path or not path.is_file():
        return None
    try:
        points = np.array(path.read_text(errors="replace").split(), dtype=np.float64)
    except ValueError:
        points = np.array([np.nan])
    if points.size != 136 or not np.isfinite(points).all():
        raise ManifestError(f"{path}: wanted 68 lines of two numbers")
    return five_from_68(points.reshape(68, 2))


def _published(sequences: Sequence[Path], rows: Sequence[Row]) -> dict[str, tuple[int, object]]:
    """What was found beside the counts published with the data set."""
    return {
        "sequences on disk": (len(sequences), 593),
        "subjects on disk": (len({path.parent.name for path in sequences}), 123),
        "labelled sequences": (len({row.sequence for row in rows}), 327),
        "labelled subjects": (len({row.subject for row in rows}), 118),
    }
