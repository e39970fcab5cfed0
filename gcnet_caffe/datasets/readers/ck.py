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
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.datasets.readers._common import (
    add_frame_arguments,
    add_root,
    check_frames,
    class_folders,
    existing,
    find,
    first_of,
    folders_in,
    sequence_rows,
)
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.datasets.table import finite_numbers
from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.faces.landmarks import five_from_68

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Expression names by the number in an Emotion file.
EMOTIONS = ("neutral", "anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")

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
    if not find(root, _below(_IMAGES), _subjects):
        _refuse_repackaged(root)
    images = first_of(root, _below(_IMAGES), _subjects, "CK+ images (S005, S010, ...)")
    emotions = first_of(root, _below(_EMOTION), _subjects, "CK+ Emotion labels (S005, S010, ...)")
    landmarks = find(root, _below(_LANDMARKS), _subjects)
    survey, rows, seen = Survey(where=images), list[Row](), []
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
            found = sequence_rows(
                paths,
                list(range(1, len(paths)))[-frames:],
                EMOTIONS[label],
                subject=paths[0].name.split("_")[0],
                sequence="_".join(paths[0].name.split("_")[:2]),
                source=source,
                neutral_queries=neutral_queries,
            )
            folder = landmarks and landmarks / sequence.relative_to(images)
            rows += [_with_landmarks(row, folder) for row in found]
    known = {
        "sequences on disk": (len(seen), 593),
        "subjects on disk": (len({path.parent.name for path in seen}), 123),
        "labelled sequences": (len({row.sequence for row in rows}), 327),
        "labelled subjects": (len({row.subject for row in rows}), 118),
    }
    return survey.finished(rows, f"sequence with a label in {emotions}", known)


def _refuse_repackaged(root: Path) -> None:
    """Refuse the re-packagings of CK+ that lack what pairs or folds need."""
    for folder in (root, root / "CK+48", root / "ck/CK+48"):
        if "anger" in class_folders(folder):
            raise ManifestError(
                f"{folder}: the last frames only (CK+48): without neutral frames there are no "
                "reference images; wanted the official folders with whole sequences"
            )
    for file in [root] if root.suffix.lower() == ".csv" else root.glob("ckextended*.csv"):
        raise ManifestError(f"{file}: {_CSV}")


def _below(names: Sequence[str]) -> list[str]:
    return [f"{top}{name}" for top in ("", "CK+/") for name in names]


def _subjects(folder: Path) -> list[Path]:
    return folders_in(folder, r"S\d+")


def _sequences(images: Path) -> Iterator[Path]:
    for subject in _subjects(images):
        yield from folders_in(subject, r"\d+")


def _frames(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if _FRAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: natural_key(path.name))


def _emotion(folder: Path) -> int | None:
    """The number in the sequence's Emotion file, None where there is no file."""
    files = list(folder.glob("S*_emotion.txt"))
    if not files:
        return None
    text = files[0].read_text(errors="replace").strip()
    label = finite_numbers(text.split())
    if label.size != 1 or label[0] not in range(len(EMOTIONS)):
        raise ManifestError(f"{files[0]}: {shown(text)}; wanted one number from 0 to 7")
    return int(label[0])


def _with_landmarks(row: Row, folder: Path | None) -> Row:
    own, reference = (_five_points(folder, Path(frame)) for frame in (row.path, row.reference))
    return row._replace(
        landmarks=own,
        reference_landmarks=reference,
        route="" if own is None or reference is None else "file68",
    )


def _five_points(folder: Path | None, frame: Path) -> NDArray[np.float64] | None:
    """The five landmarks of a frame; None where there is no file."""
    path = folder and folder / f"{frame.stem}_landmarks.txt"
    if not path or not path.is_file():
        return None
    points = finite_numbers(path.read_text(errors="replace").split())
    if points.size != 136:
        raise ManifestError(f"{path}: wanted 68 lines of two numbers")
    return five_from_68(points.reshape(68, 2))
