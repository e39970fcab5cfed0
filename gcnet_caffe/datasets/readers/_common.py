"""What the readers share: finding folders, naming expressions, choosing frames."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gcnet_caffe.datasets.expressions import NEUTRAL
from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.errors import ManifestError, UsageError
from gcnet_caffe.faces.file_kinds import IMAGE, IMAGE_NAMES, UNREAD, file_kind, kind_by_name

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


def existing(root: str | Path) -> Path:
    """Return `root`, the value of --root, as a Path.

    Raises
    ------
    UsageError
        There is no such folder or file.
    """
    root = Path(root)
    if not root.exists():
        raise UsageError(f"--root {root}: no such folder")
    return root


def find(root: Path, names: Sequence[str], fits: Callable[[Path], object]) -> Path | None:
    """Return the first path of root/names for which `fits(path)` is true, or None."""
    candidates = (root / name for name in names)
    return next((path for path in candidates if path.exists() and fits(path)), None)


def first_of(root: Path, names: Sequence[str], fits: Callable[[Path], object], wanted: str) -> Path:
    """Return the first path of root/names for which `fits(path)` is true.

    Raises
    ------
    ManifestError
        There is none; the message says what was `wanted`, where the reader looked, and what is
        there.
    """
    found = find(root, names, fits)
    if found is None:
        looked = ", ".join(name or "the folder itself" for name in dict.fromkeys(names))
        raise ManifestError(f"{root}: no {wanted}; looked for {looked}; found {contents(root)}")
    return found


def contents(root: Path) -> str:
    """Say in a few words what `root` is: a file, or the first names in the folder."""
    if not root.is_dir():
        return "a file"
    names = sorted(path.name for path in root.iterdir() if path.name[0] != ".")
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return (", ".join(names[:5]) or "an empty folder") + more


def folders_in(folder: Path, names: str = r"[^.].*") -> list[Path]:
    """Return the folders in `folder` whose names match a regular expression, in natural order.

    By default these are all folders that are not hidden. In what is not a folder there are none.
    """
    inside = folder.iterdir() if folder.is_dir() else ()
    found = [p for p in inside if p.is_dir() and re.fullmatch(names, p.name, re.DOTALL)]
    return sorted(found, key=lambda path: natural_key(path.name))


def images_in(folder: Path, survey: Survey) -> list[Path]:
    """Return the image files of `folder` in natural order, hidden ones left out.

    A file whose name is not an image's is an image if its first bytes are. Images that cannot be
    read (HEIC, ...) are counted in the survey; other files are ignored.
    """
    images = []
    shown = (path for path in folder.iterdir() if path.name[0] != "." and path.is_file())
    for path in sorted(shown, key=lambda path: natural_key(path.name)):
        named = path.name.lower().endswith(IMAGE_NAMES)  # half a million need not be opened
        kind = kind_by_name(path) if named else file_kind(path)
        if kind is not None and kind.sort == IMAGE:
            images.append(path)
        elif kind is not None and kind.sort == UNREAD:
            survey.skipped[f"{kind.words}, which is not read"] += 1
    return images


def class_folders(folder: Path) -> dict[str, Path]:
    """Return {expression: folder} of the folders in `folder` that are named after expressions."""
    return {
        SPELLINGS[path.name.lower()]: path
        for path in folders_in(folder)
        if path.name.lower() in SPELLINGS
    }


def expression_rows(folders: Mapping[str, Path], source: str, survey: Survey) -> list[Row]:
    """Return a row of each image in `folders` (expression -> folder), without a subject."""
    return [
        Row(path=str(path), subject="", expression=name, source=source)
        for name, folder in folders.items()
        for path in images_in(folder, survey)
    ]


def add_root(parser: argparse.ArgumentParser, about: str, source: str) -> None:
    """Add --root, with `about` as its help, and --source, with the default `source`."""
    parser.add_argument("--root", required=True, help=about)
    parser.add_argument("--source", default=source, help="name of the data set")


def add_frame_arguments(parser: argparse.ArgumentParser, which: str) -> None:
    """Add the options of sequences that start neutral; `which` says in words what is a query."""
    parser.add_argument("--frames", type=int, default=3, help=f"queries per sequence: {which}")
    parser.add_argument(
        "--no-neutral-queries",
        dest="neutral_queries",
        action="store_false",
        help="leave the first frames out of the queries",
    )


def check_frames(frames: int) -> None:
    """Raise a UsageError unless --frames makes sense."""
    if frames < 1:
        raise UsageError(f"--frames {frames}: wanted 1 or more")


def sequence_rows(
    paths: Sequence[str | Path],
    chosen: Sequence[int],
    expression: str,
    subject: str,
    sequence: str,
    source: str,
    neutral_queries: bool = True,
) -> list[Row]:
    """Return the rows of a sequence: its first frame as neutral query, then the `chosen` ones.

    Parameters
    ----------
    paths : sequence of str or Path
        The frames; the first is the reference of all.
    chosen : sequence of int
        Places of the queries, from 1.
    expression, subject, sequence, source : str
        The columns of the manifest.
    neutral_queries : bool
        Whether the first frame is a query too.

    Returns
    -------
    list of Row
    """
    return [
        Row(
            path=str(paths[rank]),
            subject=subject,
            expression=expression if rank else NEUTRAL,
            reference=str(paths[0]),
            sequence=sequence,
            rank=rank,
            source=source,
        )
        for rank in ([0, *chosen] if neutral_queries else chosen)
    ]
