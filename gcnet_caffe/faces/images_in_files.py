"""Images inside other files; ``FILE#MEMBER`` stands for a path.

==================  =============================================================================
FILE                MEMBER
==================  =============================================================================
a RecordIO file     byte offset of an MXNet RecordIO record that holds an encoded image
a csv               byte offset of a line with a cell of blank-separated pixels, a square
a video             frame number from 0, then optionally ``,cw`` or ``,ccw`` (turned by 90 degrees)
                    and ``,left`` or ``,right`` (that half of it)
==================  =============================================================================

What the file is, is found from its first bytes, and from its name if they are of no known kind.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from gcnet_caffe.errors import GcnetError, ImageError
from gcnet_caffe.faces.file_kinds import HEAD, VIDEO, VIDEO_NAMES, file_kind, kind_of
from gcnet_caffe.faces.recordio import read_image_record, starts_record
from gcnet_caffe.faces.silent_opencv import silent_opencv

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: A longer line is not a row of pixels: the file is another one.
LINE_BYTES = 1 << 20

_TURNS = {"cw": cv2.ROTATE_90_CLOCKWISE, "ccw": cv2.ROTATE_90_COUNTERCLOCKWISE}


def split_member(path: str | Path) -> tuple[str, str]:
    """Split the path of an image.

    Parameters
    ----------
    path : str or Path
        ``FILE#MEMBER``, or a plain file: an existing file whose own name has a ``#`` is plain.

    Returns
    -------
    file, member : str
        member is "" for a plain file.
    """
    path = str(path)
    file, mark, member = path.rpartition("#")
    if not mark or os.path.isfile(path):
        return path, ""
    named = file.lower().endswith((".rec", ".csv", *VIDEO_NAMES))  # the file may be missing
    return (file, member) if named or os.path.isfile(file) else (path, "")


def read_member(file: str, member: str) -> bytes | NDArray[np.uint8]:
    """Read an image inside another file.

    Parameters
    ----------
    file, member : str
        From `split_member`.

    Returns
    -------
    bytes or (H, W) ndarray of uint8
        Of an encoded image its bytes; otherwise the image, grey, 0..255.

    Raises
    ------
    ImageError
        There is no such file or member, or it is not an image.
    """
    try:
        if is_video(file):
            return _frame(file, member)
        if not member.isdigit():
            raise ValueError("wanted a byte offset")
        with open(file, "rb") as stream:
            if file.lower().endswith(".rec") or starts_record(stream):
                return read_image_record(stream, int(member))[1]
            stream.seek(int(member))
            return square_of(max(line_cells(stream.readline(LINE_BYTES)), key=len, default=""))
    except OSError as error:
        raise ImageError(f"{file}: cannot read the image: {error.strerror}") from None
    except (GcnetError, ValueError) as error:
        raise ImageError(f"{file}#{member}: {error}") from None


def is_video(file: str | Path) -> bool:
    """Return whether the file is a video (see `file_kind`).

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    bool

    Raises
    ------
    OSError
        It cannot be read.
    """
    kind = file_kind(file)
    return kind is not None and kind.sort == VIDEO


def line_cells(line: bytes) -> list[str]:
    """Return the cells of one line of a csv.

    Parameters
    ----------
    line : bytes
        With or without its end.

    Returns
    -------
    list of str
        Empty for a blank line. Of what is no CSV, the line is the only cell.
    """
    text = line.decode("utf-8-sig", "replace").rstrip("\r\n")
    try:
        cells = next(csv.reader([text]), [])
    except csv.Error:
        cells = [text]
    return cells if text.strip() else []


def square_of(text: str) -> NDArray[np.uint8]:
    """Return the square image that is given as text.

    Parameters
    ----------
    text : str
        Grey values, 0..255, separated by blanks, row by row.

    Returns
    -------
    (N, N) ndarray of uint8

    Raises
    ------
    ValueError
        The values are not those of a square image.
    """
    digits = re.fullmatch(r"[0-9\s]+", text)  # else the next line might stop half-way
    values = np.fromstring(text, sep=" ") if digits else np.empty(0)
    side = round(values.size**0.5)
    if not side or side * side != values.size or values.max() > 255:
        raise ValueError(f"{len(text.split())} pixels; wanted those of a square, 0 to 255")
    return values.astype(np.uint8).reshape(side, side)


def _frame(file: str, member: str) -> NDArray[np.uint8]:
    number, *changes = member.split(",")
    if not number.isdigit() or set(changes) - {*_TURNS, "left", "right"}:
        raise ValueError("wanted FRAME[,cw|ccw][,left|right]")
    frames = _frames(file, os.stat(file).st_mtime_ns)
    if int(number) >= len(frames):
        raise ValueError(f"the video has {len(frames)} frames, counted from 0")
    return changed(frames[int(number)], changes)


def changed(frame: NDArray[np.uint8], changes: Sequence[str]) -> NDArray[np.uint8]:
    """Return a frame after some changes, in their order.

    Parameters
    ----------
    frame : (H, W) ndarray of uint8
    changes : sequence of str
        ``cw`` and ``ccw`` rotate by 90 degrees, ``left`` and ``right`` take that half.

    Returns
    -------
    (H, W) ndarray of uint8
    """
    for change in changes:
        if change in _TURNS:
            frame = np.asarray(cv2.rotate(frame, _TURNS[change]), np.uint8)
        else:
            middle = frame.shape[1] // 2
            frame = frame[:, :middle] if change == "left" else frame[:, -middle:]
    return np.ascontiguousarray(frame)


@functools.lru_cache(maxsize=1)  # neighbouring rows show frames of one video
def _frames(file: str, _modified: int) -> list[NDArray[np.uint8]]:
    return read_video(file)


def read_video(file: str | Path) -> list[NDArray[np.uint8]]:
    """Return the frames of a video, grey.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    list of (H, W) ndarray of uint8
        0..255.

    Raises
    ------
    ImageError
        OpenCV cannot decode it.
    """
    grey = (cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for _, frame in video_frames(file))
    return [np.asarray(frame, np.uint8) for frame in grey]


def video_frames(file: str | Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield the frames of a video, in colour, and when they are shown.

    Parameters
    ----------
    file : str or Path

    Yields
    ------
    time : float
        Seconds since the video's start, as its file says.
    frame : (H, W, 3) ndarray of uint8
        0..255: blue, green, red.

    Raises
    ------
    ImageError
        OpenCV cannot decode it.
    """
    video = open_video(file)
    found, frame = video.read()
    if not found:
        raise ImageError(f"{file}: not a video that OpenCV can decode")
    while found:
        yield video.get(cv2.CAP_PROP_POS_MSEC) / 1000, np.asarray(frame, np.uint8)
        found, frame = video.read()


def open_video(file: str | Path) -> cv2.VideoCapture:
    """Open a video with OpenCV and FFmpeg: other decoders guess from the name.

    FFmpeg also guesses (a short MPEG video named .jpg is an image to it). If the first bytes are of
    a known kind, it gets a link to the file that has no such name.

    Parameters
    ----------
    file : str or Path

    Returns
    -------
    cv2.VideoCapture
        Not opened if the file is not a video.
    """
    with silent_opencv():
        with contextlib.suppress(OSError), open(file, "rb") as stream:
            if kind_of(stream.read(HEAD)) is None:
                return cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
        with tempfile.TemporaryDirectory(prefix="gcnet-") as folder:
            link = os.path.join(folder, "video")
            os.symlink(os.path.abspath(file), link)
            return cv2.VideoCapture(link, cv2.CAP_FFMPEG)
