"""The pictures that `gcnet predict` looks at: image files, videos, folders, standard input.

The first bytes of a file say what it is (faces/file_kinds.py); its name counts only where they do
not.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from gcnet_caffe.datasets.natural import natural_key
from gcnet_caffe.errors import NO_FILE, ImageError, UsageError
from gcnet_caffe.faces.file_kinds import IMAGE, OTHER, VIDEO, Kind, file_kind, kind_by_name
from gcnet_caffe.faces.images import MAX_BYTES, MAX_PIXELS, decode, not_read, read_file
from gcnet_caffe.faces.images_in_files import open_video, video_frames


class _StandardInput(io.BytesIO):
    """An image that messages call ``-``."""

    name = "-"


class Picture(NamedTuple):
    """A picture to look for faces in.

    Attributes
    ----------
    name : str
        For people: a path, or of a video its path and the number of the frame.
    image : Path, BytesIO, (H, W, 3) array of uint8, ImageError or None
        A file; the contents of one; a frame: blue, green, red; why it cannot be read; or None,
        where the picture is not needed any more.
    place : Path
        Where its drawing goes, relative to the folder of drawings.
    frame : int, or None
        Of a video, the number of the frame, from 0 on.
    time : float, or None
        Of a video, the seconds since its start.
    """

    name: str
    image: Path | io.BytesIO | NDArray[np.uint8] | ImageError | None
    place: Path
    frame: int | None = None
    time: float | None = None

    @property
    def file(self) -> str:
        """The file's path: of a frame, its video's."""
        return self.name if self.frame is None else self.name.rpartition("#")[0]

    def colours(self) -> NDArray[np.uint8]:
        """Return a picture with an `image` as an (H, W, 3) array of uint8: blue, green, red.

        Raises
        ------
        ImageError
            It cannot be read.
        """
        if isinstance(self.image, Path):
            return decode(read_file(self.image), self.name, colour=True)
        if isinstance(self.image, io.BytesIO):
            return decode(self.image.getvalue(), self.name, colour=True)
        assert isinstance(self.image, np.ndarray)
        return self.image


class Source(NamedTuple):
    """The pictures of one argument, and how many they are.

    Of a video the number is what its file says, and may be 0.
    """

    total: int
    pictures: Iterable[Picture]


def open_source(path: str, every: int = 1) -> Source:
    """Return the `Source` of one argument.

    Parameters
    ----------
    path : str
        An image file, a video, a folder, or - for an image on standard input. Of a folder, all
        images and videos in it and its folders, in natural order; those that cannot be read are
        pictures with their error. Hidden files, and files that look like neither by their first
        bytes nor their names, are skipped.
    every : int
        Of a video, one frame of this many is taken, from the first on.

    Raises
    ------
    UsageError
        There is no such file, or the folder has no image and no video.
    """
    if path == "-":
        image = _StandardInput(sys.stdin.buffer.read(MAX_BYTES + 1))
        return Source(1, [Picture("-", image, Path("stdin.png"))])
    if os.path.isdir(path):
        return _folder(path, every)
    if not os.path.exists(path):
        raise UsageError(f"{path}: {NO_FILE}")
    return _file(Path(path), Path(Path(path).name), _kind(path), every)


def _folder(folder: str, every: int) -> Source:
    failures: list[OSError] = []
    found = []
    for file in _files(folder, failures):
        kind = _kind(file)
        if isinstance(kind, OSError) or (kind is not None and kind.sort != OTHER):
            found.append((file, kind))
    if not found and not failures:
        raise UsageError(f"{folder}: no image or video in it")
    sources = [_file(file, file.relative_to(folder), kind, every) for file, kind in found]
    sources += [_unread(error.filename, f"cannot be read: {error.strerror}") for error in failures]
    pictures = (picture for source in sources for picture in source.pictures)
    return Source(sum(source.total for source in sources), pictures)


def _files(folder: str, failures: list[OSError]) -> list[Path]:
    """The files below `folder` that are not hidden, in natural order; links are followed.

    A folder that several links lead to is looked into once. `failures` takes the errors of folders
    that cannot be looked into.
    """
    files, seen = [], set()
    for parent, folders, names in os.walk(folder, onerror=failures.append, followlinks=True):
        state = os.stat(parent)
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        files += [Path(parent, name) for name in names if not name.startswith(".")]
    return sorted(files, key=lambda file: natural_key(str(file)))


def _kind(path: str | Path) -> Kind | OSError | None:
    """The file's kind; or the error that it cannot be read."""
    try:
        return file_kind(path)
    except FileNotFoundError as error:  # a link that leads nowhere
        return error if kind_by_name(path) else None
    except OSError as error:
        return error


def _file(path: Path, place: Path, kind: Kind | OSError | None, every: int) -> Source:
    """The pictures of one file: itself, or the frames of a video."""
    if isinstance(kind, OSError):
        return _unread(path, f"cannot be read: {kind.strerror}")
    if kind is not None and kind.sort == VIDEO:
        return _video(path, place, every)
    if kind is not None and kind.sort != IMAGE:
        return _unread(path, not_read(kind))
    return Source(1, [Picture(str(path), path, place.with_name(f"{place.name}.png"))])


def _unread(path: str | Path, why: str) -> Source:
    return Source(1, [Picture(str(path), ImageError(f"{path}: {why}"), Path())])


def _video(path: Path, place: Path, every: int) -> Source:
    video = open_video(path)
    width, height = (
        video.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    video.release()
    if width * height > MAX_PIXELS:
        return _unread(path, f"frames of more than {MAX_PIXELS // 10**6} million pixels")
    return Source(max(0, -(-count // every)), _frames(path, place, every))


def _frames(path: Path, place: Path, every: int) -> Iterator[Picture]:
    try:
        for number, (time, frame) in enumerate(video_frames(path)):
            if number % every == 0:
                drawn = place.with_name(f"{place.name}_{number:06d}.png")
                yield Picture(f"{path}#{number}", frame, drawn, number, time)
    except ImageError as error:
        yield Picture(str(path), error, Path())
