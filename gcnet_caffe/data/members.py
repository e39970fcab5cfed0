"""Images inside other files, named ``FILE#MEMBER`` where a path is expected.

==================  =============================================================================
FILE                MEMBER
==================  =============================================================================
``*.rec``           byte offset of an MXNet RecordIO record that holds an encoded image
``*.csv``           byte offset of a line with a cell of blank-separated pixels, a square
``*.avi``, ...      frame number from 0, then optionally ``,cw`` or ``,ccw`` (turned by 90 degrees)
                    and ``,left`` or ``,right`` (that half of it)
==================  =============================================================================
"""

import csv
import functools
import os
import re

import cv2
import numpy as np

from gcnet_caffe.data.quiet import silent_opencv
from gcnet_caffe.data.recordio import read_image_record
from gcnet_caffe.errors import GcnetError, ImageError

VIDEOS = (".avi", ".mp4", ".mov", ".mpg", ".mpeg", ".mkv", ".wmv")

_TURNS = {"cw": cv2.ROTATE_90_CLOCKWISE, "ccw": cv2.ROTATE_90_COUNTERCLOCKWISE}


def split_member(path):
    """Return (file, member) of a path; member is "" for a plain file.

    A file whose own name holds a ``#`` is a plain file.
    """
    path = str(path)
    file, mark, member = path.rpartition("#")
    if not mark or not file.lower().endswith((".rec", ".csv", *VIDEOS)) or os.path.isfile(path):
        return path, ""
    return file, member


def read_member(file, member):
    """Return the image `member` of `file`: encoded bytes, or a (H, W) array of grey uint8.

    Raises
    ------
    ImageError
        There is no such file or member, or it is no image.
    """
    try:
        if file.lower().endswith(VIDEOS):
            return _frame(file, member)
        offset = int(member)
        return _pixels(file, offset) if file.lower().endswith(".csv") else _record(file, offset)
    except OSError as error:
        raise ImageError(f"{file}: cannot read the image: {error.strerror}") from None
    except (GcnetError, ValueError) as error:
        raise ImageError(f"{file}#{member}: {error}") from None


def _record(file, offset):
    with open(file, "rb") as stream:
        return read_image_record(stream, offset)[1]


def _pixels(file, offset):
    with open(file, "rb") as stream:
        stream.seek(offset)
        line = stream.readline().decode("utf-8", "replace")
    return square_of(max(next(csv.reader([line])), key=len))


def square_of(text):
    """Return the square image of blank-separated grey values.

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


def _frame(file, member):
    number, *changes = member.split(",")
    if not number.isdigit() or set(changes) - {*_TURNS, "left", "right"}:
        raise ValueError("wanted FRAME[,cw|ccw][,left|right]")
    frames = _frames(file, os.stat(file).st_mtime_ns)
    if int(number) >= len(frames):
        raise ValueError(f"the video has {len(frames)} frames, counted from 0")
    return changed(frames[int(number)], changes)


def changed(frame, changes):
    """Return `frame` turned (cw, ccw) and then cut (left, right)."""
    for change in changes:
        if change in _TURNS:
            frame = cv2.rotate(frame, _TURNS[change])
        else:
            middle = frame.shape[1] // 2
            frame = frame[:, :middle] if change == "left" else frame[:, -middle:]
    return np.ascontiguousarray(frame)


@functools.lru_cache(maxsize=1)  # neighbouring rows show frames of one video
def _frames(file, _modified):
    return read_video(file)


def read_video(file):
    """Return the frames of the video `file` as (H, W) arrays of grey uint8.

    Raises
    ------
    ImageError
        OpenCV cannot decode it.
    """
    return [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) for frame in video_frames(file)]


def video_frames(file):
    """Yield the frames of the video `file` as (H, W, 3) arrays of uint8: blue, green, red.

    Raises
    ------
    ImageError
        OpenCV cannot decode it.
    """
    video = open_video(file)
    try:
        found, frame = video.read()
        if not found:
            raise ImageError(f"{file}: not a video that OpenCV can decode")
        while found:
            yield frame
            found, frame = video.read()
    finally:
        video.release()


def open_video(file):
    """Return OpenCV's VideoCapture of the file, by FFmpeg alone: others guess from the name."""
    with silent_opencv():
        return cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
