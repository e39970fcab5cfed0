"""What the readers share: finding folders, naming expressions, choosing frames."""

from __future__ import annotations

from pathlib import Path

from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, UsageError
from gcnet_caffe.faces.kinds import IMAGE, IMAGE_NAMES, UNREAD, file_kind

#: Data sets' own spellings of the expressions, in lower case.
SPELLINGS = {
    "angry": "anger",
    "happiness": "happy",
    "happyness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "disgusted": "disgust",
    "fearful": "fear",
    **{name: name for name in ("anger", "contempt", "disgust", "fear", "happy", "sad", "surprise")},
    NEUTRAL: NEUTRAL,
}


def existing(root):
    """Return --root as a Path.

    Raises
    ------
    UsageError
        There is no such folder or file.
    """
    root = Path(root)
    if not root.exists():
        raise UsageError(f"--root {root}: no such folder")
    return root


def first_of(root, names, fits, wanted):
    """Return the first of root/names that `fits`.

    Raises
    ------
    ManifestError
        None does; the message says what was `wanted` and where it was looked for.
    """
    candidates = [root / name for name in names]
    for path in candidates:
        if path.exists() and fits(path):
            return path
    looked = ", ".join(name or "the folder itself" for name in dict.fromkeys(names))
    raise ManifestError(f"{root}: no {wanted}; looked for {looked}; found {contents(root)}")


def contents(root):
    """Say in a few words what `root` is: a file, or the first names in the folder."""
    if not root.is_dir():
        return "a file"
    names = sorted(path.name for path in root.iterdir() if path.name[0] != ".")
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (", ".join(names[:5]) or "an empty folder") + more


def folders_in(folder):
    """Return the folders below `folder` in natural order, hidden ones left out."""
    found = [path for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    return sorted(found, key=lambda path: natural_key(path.name))


def images_in(folder: Path, survey: Survey) -> list[Path]:
    """Return the image files of `folder` in natural order, hidden ones left out.

    Files with other names are images where their first bytes say so. Images that are not read
    (HEIC, ...) are counted in the survey; other files are passed over.
    """
    found = []
    for path in folder.iterdir():
        if path.name[0] == "." or not path.is_file():
            continue
        if path.name.lower().endswith(IMAGE_NAMES):  # half a million need not be opened
            found.append(path)
            continue
        kind = file_kind(path)
        if kind is not None and kind.sort == IMAGE:
            found.append(path)
        elif kind is not None and kind.sort == UNREAD:
            survey.skipped[f"{kind.words}, which is not read"] += 1
    return sorted(found, key=lambda path: natural_key(path.name))


def class_folders(folder):
    """Return {expression: folder} of the folders named after expressions."""
    return {
        SPELLINGS[path.name.lower()]: path
        for path in folders_in(folder)
        if path.name.lower() in SPELLINGS
    }


def add_root(parser, about, source):
    """Add --root and --source."""
    parser.add_argument("--root", required=True, help=about)
    parser.add_argument("--source", default=source, help="name of the data set")


def add_frame_arguments(parser, which):
    """Add the flags of sequences that start neutral; `which` frames are the queries."""
    parser.add_argument("--frames", type=int, default=3, help=f"queries per sequence: {which}")
    parser.add_argument(
        "--no-neutral-queries",
        dest="neutral_queries",
        action="store_false",
        help="leave the first frames out of the queries",
    )


def check_frames(frames):
    """Raise a UsageError unless --frames makes sense."""
    if frames < 1:
        raise UsageError(f"--frames {frames}: wanted 1 or more")


def sequence_rows(
    paths, chosen, expression, subject, sequence, source, neutral_queries=True, points=None
):
    """Return the rows of a sequence: its first frame as neutral query, then the `chosen` ones.

    Parameters
    ----------
    paths : sequence of str or Path
        The frames; the first is the reference of all.
    chosen : sequence of int
        Places of the queries, from 1.
    expression, subject, sequence, source : str
    neutral_queries : bool
    points : function, optional
        Frame -> its five landmarks from the data set's 68, or None.
    """
    points = points or (lambda _path: None)
    reference_points = points(paths[0])
    rows = []
    for rank in [0, *chosen] if neutral_queries else chosen:
        own = points(paths[rank])
        known = own is not None and reference_points is not None
        rows.append(
            Row(
                path=str(paths[rank]),
                subject=subject,
                expression=expression if rank else NEUTRAL,
                reference=str(paths[0]),
                sequence=sequence,
                rank=rank,
                source=source,
                landmarks=own,
                reference_landmarks=reference_points,
                route="file68" if known else "",
            )
        )
    return rows
