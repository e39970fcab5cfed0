"""CK+ (extended Cohn-Kanade): sequences from neutral to peak.

Reference = first frame of the sequence; queries = its last three frames, and the first frame itself
as a neutral query. Sequences without an Emotion file are left out. The five landmarks come from the
68 points of the Landmarks folder where there is one.

The folders are found below --root, or below --root/CK+:

  images     cohn-kanade-images | extended-cohn-kanade-images/cohn-kanade-images
             | Cohn-Kanade Images
  Emotion    Emotion | Emotion_labels/Emotion | Emotion_labels
  Landmarks  Landmarks | Landmarks/Landmarks
"""

import re
from pathlib import Path

import numpy as np

from gcnet_caffe.data.landmarks import five_from_68
from gcnet_caffe.data.manifest import Row
from gcnet_caffe.data.natural import natural_key
from gcnet_caffe.data.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, UsageError

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

_SUBJECT = re.compile(r"S\d+")
_SEQUENCE = re.compile(r"\d+")
_FRAME = re.compile(r"S\d+_\d+_\d+\.(png|jpe?g|tiff?)", re.IGNORECASE)


def add_arguments(parser):
    """Add this reader's options."""
    parser.add_argument("--root", required=True, help="folder that holds the CK+ folders")
    parser.add_argument(
        "--frames", type=int, default=3, help="queries per sequence: its last frames"
    )
    parser.add_argument(
        "--no-neutral-queries",
        dest="neutral_queries",
        action="store_false",
        help="leave the first frames out of the queries",
    )
    parser.add_argument("--source", default="CK+", help="name of the data set")


def read(root, frames=3, neutral_queries=True, source="CK+"):
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
    root = Path(root)
    if not root.is_dir():
        raise UsageError(f"--root {root}: no such folder")
    if frames < 1:
        raise UsageError(f"--frames {frames}: wanted 1 or more")
    images = _tree(root, _IMAGES, "images")
    emotions = _tree(root, _EMOTION, "Emotion labels")
    landmarks = _tree(root, _LANDMARKS)
    survey, rows, seen = Survey(), [], []
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
            points = landmarks and landmarks / sequence.relative_to(images)
            rows += _rows(paths, EMOTIONS[label], points, frames, neutral_queries, source)
    if not rows:
        raise ManifestError(f"{root}: no labelled sequence in {images} and {emotions}")
    survey.known = _published(seen, rows)
    return rows, survey


def _tree(root, names, wanted=None):
    """The first folder of `names` that holds subjects; None where none does, unless `wanted`."""
    candidates = [root / top / name for top in _TOPS for name in names]
    for folder in candidates:
        if folder.is_dir() and _folders(folder, _SUBJECT):
            return folder
    if wanted:
        looked = ", ".join(str(folder) for folder in candidates)
        raise ManifestError(f"{root}: no CK+ {wanted} (S005, S010, ...); looked in {looked}")
    return None


def _folders(parent, name):
    found = [path for path in parent.iterdir() if path.is_dir() and name.fullmatch(path.name)]
    return sorted(found, key=lambda path: natural_key(path.name))


def _sequences(images):
    for subject in _folders(images, _SUBJECT):
        yield from _folders(subject, _SEQUENCE)


def _frames(folder):
    found = [path for path in folder.iterdir() if _FRAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: natural_key(path.name))


def _emotion(folder):
    """The number in the sequence's Emotion file, None where there is no file."""
    files = [path for path in folder.glob("S*_emotion.txt")] if folder.is_dir() else []
    if not files:
        return None
    text = files[0].read_text(errors="replace").strip()
    try:
        label = float(text)
    except ValueError:
        label = np.nan
    if label not in range(len(EMOTIONS)):
        raise ManifestError(f"{files[0]}: {text[:40]!r}; wanted one number from 0 to 7")
    return int(label)


def _five_points(folder, frame):
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


def _rows(paths, expression, landmarks, frames, neutral_queries, source):
    """The rows of one sequence: the neutral query, then the last frames."""
    ranks = list(range(1, len(paths)))[-frames:]
    reference_points = _five_points(landmarks, paths[0])
    rows = []
    for rank in [0, *ranks] if neutral_queries else ranks:
        points = _five_points(landmarks, paths[rank])
        known = points is not None and reference_points is not None
        rows.append(
            Row(
                path=str(paths[rank]),
                subject=paths[rank].name.split("_")[0],
                expression=expression if rank else "neutral",
                reference=str(paths[0]),
                sequence="_".join(paths[rank].name.split("_")[:2]),
                rank=rank,
                source=source,
                landmarks=points,
                reference_landmarks=reference_points,
                route="file68" if known else "",
            )
        )
    return rows


def _published(sequences, rows):
    """What was found beside the counts published with the data set."""
    return {
        "sequences on disk": (len(sequences), 593),
        "subjects on disk": (len({path.parent.name for path in sequences}), 123),
        "labelled sequences": (len({row.sequence for row in rows}), 327),
        "labelled subjects": (len({row.subject for row in rows}), 118),
    }
