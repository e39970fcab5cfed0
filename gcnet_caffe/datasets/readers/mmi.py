"""MMI: video sequences from neutral over the peak back to neutral, six expressions.

Reference = first frame of the video; queries = three frames around the peak, and the first frame
itself as a neutral query. Below --root, or the folder mmi-facial-expression-database_download_*:

  Sessions/<n>/session.xml        view: 0 frontal, 1 profile (left out), 2 both in one picture
  Sessions/<n>/S001-002.avi       the video; the subject is the part before the dash
  Sessions/<n>/S001-002.xml       Emotion 1..6; other values are left out

The peak frame is not part of the data set. --apex gives it: a csv with the columns session and apex
(frame number from 0). In other sessions the middle frame is taken, and their number is printed.
Videos that are not 480 pixels high may be rotated, and pictures of two views have one frontal half:
the face detector finds out, or use --turn and --half.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np

from gcnet_caffe.datasets.manifest import Row
from gcnet_caffe.datasets.readers._common import (
    add_frame_arguments,
    add_root,
    check_frames,
    existing,
    first_of,
    folders_in,
    sequence_rows,
)
from gcnet_caffe.datasets.readers.survey import Survey
from gcnet_caffe.datasets.table import read_table
from gcnet_caffe.errors import ManifestError, shown
from gcnet_caffe.faces.images_in_files import changed, is_video, read_video
from gcnet_caffe.faces.landmarks import Detector, detector_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Expression names by the number in the session's Emotion tag.
EMOTIONS = {
    "1": "anger",
    "2": "disgust",
    "3": "fear",
    "4": "happy",
    "5": "sad",
    "6": "surprise",
}

_UPRIGHT_HEIGHT = 480
_TURNS = ("none", "ccw", "cw")
_VIDEO = re.compile(r"S\d+-\d+")
_FRONTAL, _DUAL = "0", "2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this reader's options."""
    add_root(parser, "MMI's folder Sessions, or the folder that holds it", "MMI")
    add_frame_arguments(parser, "those around the peak")
    parser.add_argument(
        "--apex", metavar="CSV", help="peak frames: session,apex; default: the middle frames"
    )
    parser.add_argument(
        "--turn",
        choices=("auto", *_TURNS),
        default="auto",
        help="how to rotate videos that are not 480 pixels high; auto uses the face detector",
    )
    parser.add_argument(
        "--half",
        choices=("auto", "left", "right"),
        default="auto",
        help="where the frontal face is in pictures of two views; auto uses the face detector",
    )
    parser.add_argument("--detector-model", metavar="FILE", dest="detector", help="YuNet model")


def read(
    root: str | Path,
    frames: int = 3,
    neutral_queries: bool = True,
    apex: str | Path | None = None,
    turn: str = "auto",
    half: str = "auto",
    detector: str | Path | None = None,
    source: str = "MMI",
) -> tuple[list[Row], Survey]:
    """List the frontal sequences of MMI with one of the six expressions.

    Parameters
    ----------
    root : str or Path
    frames : int
        Queries per sequence, around the peak; never the first frame.
    neutral_queries : bool
        Whether the first frame is a query too, its own reference.
    apex : str or Path, optional
        A csv with the columns session, apex.
    turn, half : str
        See ``--help``.
    detector : str or Path, optional
        Model file of the face detector.
    source : str
        Name of the data set, for the manifest.

    Returns
    -------
    (list of Row, Survey)

    Raises
    ------
    UsageError
        There is no such folder, `frames` is below 1, or the detector is needed and missing.
    ManifestError
        The tree is not MMI's, a session is not well-formed, or the csv is wrong.
    """
    root = existing(root)
    check_frames(frames)
    names = [
        "Sessions",
        "",
        *(f"{path.name}/Sessions" for path in root.glob("mmi*") if path.is_dir()),
    ]
    top = first_of(root, names, _is_sessions, "MMI Sessions (numbered folders with a session.xml)")
    peaks = _peaks(apex, top) if apex else {}
    survey, rows = Survey(where=top), list[Row]()
    for session in folders_in(top):
        found = _session(session)
        if isinstance(found, str):
            survey.skipped[found] += 1
            continue
        video, view, emotion = found
        pictures = read_video(video)
        peak = peaks.get(session.name, len(pictures) // 2)
        if not 0 < peak < len(pictures):
            raise ManifestError(
                f"{apex or video}: session {session.name}: apex {peak}; wanted 1 to "
                f"{len(pictures) - 1}, the frames of {video.name} after the first"
            )
        if session.name not in peaks:
            survey.noted["sequences without an apex in --apex, the middle frame was taken"] += 1
        changes = _changes(pictures[0], view, turn, half, detector)
        if changes is None:
            survey.skipped["no upright frontal face found"] += 1
            continue
        rows += sequence_rows(
            [",".join((f"{video}#{i}", *changes)) for i in range(len(pictures))],
            _around(peak, frames, len(pictures)),
            emotion,
            video.name.partition("-")[0],
            session.name,
            source,
            neutral_queries,
        )
    known = {
        "sequences": (len({row.sequence for row in rows}), "205 frontal ones in the paper"),
        "subjects": (len({row.subject for row in rows}), "30 in the paper"),
    }
    return survey.finished(rows, "frontal session of Emotion 1 to 6", known)


def _around(peak: int, frames: int, count: int) -> list[int]:
    """The `frames` places nearest to `peak`, in order, without the first frame."""
    nearest = sorted(range(1, count), key=lambda place: (abs(place - peak), place))
    return sorted(nearest[:frames])


def _is_sessions(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("*/session.xml"))


def _peaks(path: str | Path, sessions: Path) -> dict[str, int]:
    """{session: frame} of the apex csv."""
    rows = list(read_table(path, "apex csv", ("session", "apex"), ManifestError))
    for number, row in enumerate(rows, start=1):
        if not (row["apex"] or "").strip().isdigit():
            raise ManifestError(
                f"{path}: row {number}: apex {shown(row['apex'])} is not a frame number"
            )
        if not (sessions / (row["session"] or "").strip() / "session.xml").is_file():
            raise ManifestError(
                f"{path}: row {number}: session {shown(row['session'])}: "
                f"no such folder in {sessions}"
            )
    return {row["session"].strip(): int(row["apex"]) for row in rows}


def _session(folder: Path) -> tuple[Path, str, str] | str:
    """(video, view, expression) of a session, or why it is left out."""
    videos = [p for p in sorted(folder.iterdir()) if _VIDEO.match(p.name) and is_video(p)]
    if not videos:
        return "sessions without a video"
    video = videos[0]
    emotion = EMOTIONS.get(_tag(video.with_suffix(".xml")))
    if emotion is None:
        return "sessions without one of the six expressions"
    view = _view(folder / "session.xml", video)
    if view not in (_FRONTAL, _DUAL):
        return "sessions in profile" if view == "1" else "sessions of unknown view"
    return video, view, emotion


def _elements(path: Path) -> list[ElementTree.Element]:
    if not path.is_file():
        return []
    try:
        return list(ElementTree.parse(path).iter())
    except ElementTree.ParseError as error:
        raise ManifestError(f"{path}: not well-formed XML: {error}") from None


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2].lower()


def _tag(path: Path) -> str:
    """The value of the Emotion tag, "" where there is none."""
    tags = [e for e in _elements(path) if _name(e) == "metatag" and e.get("Name") == "Emotion"]
    return tags[0].get("Value", "").strip() if tags else ""


def _view(path: Path, video: Path) -> str:
    """The view of the track that is `video`; without one, of all tracks if they agree; or ""."""
    tracks = [e for e in _elements(path) if _name(e) == "track" and e.get("view") is not None]
    own = [e for e in tracks if video.name in (e.get("filename") or "")]
    views = {element.get("view", "").strip() for element in own or tracks}
    return views.pop() if len(views) == 1 else ""


def _changes(
    picture: NDArray[np.uint8], view: str, turn: str, half: str, model: str | Path | None
) -> list[str] | None:
    """How to rotate and cut a video, as in a member's name; None if no upright face is found."""
    turns = _TURNS if turn == "auto" else (turn,)
    halves = ("left", "right") if half == "auto" else (half,)
    if picture.shape[0] == _UPRIGHT_HEIGHT:
        turns = ("none",)
    if view != _DUAL:
        halves = ("none",)
    options = [[c for c in pair if c != "none"] for pair in itertools.product(turns, halves)]
    if len(options) == 1:
        return options[0]
    scores = [_detector(model).score(changed(picture, option)) for option in options]
    return options[int(np.argmax(scores))] if max(scores) > 0 else None


@functools.lru_cache(maxsize=1)  # opened when it is needed
def _detector(model: str | Path | None) -> Detector:
    return Detector(detector_model(model))
