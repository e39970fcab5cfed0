"""What `gcnet predict` is given: image files, folders of them, videos, standard input."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

import cv2

from gcnet_caffe.data.images import MAX_BYTES, MAX_PIXELS, decode, read_file
from gcnet_caffe.data.members import VIDEOS, open_video, video_frames
from gcnet_caffe.data.natural import natural_key
from gcnet_caffe.errors import ImageError, UsageError

#: The images of a folder have these names; a file that is named itself may have any.
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".jp2",
)  # fmt: skip


class Picture(NamedTuple):
    """A picture to look for faces in.

    `name` is for people; `image` is a path, the bytes of a file, a frame (H, W, 3), uint8, blue,
    green, red, or the ImageError that it cannot be read; `place` is where its drawing goes,
    relative to the folder of drawings.
    """

    name: str
    image: object
    place: Path

    def colours(self):
        """The picture as (H, W, 3) uint8: blue, green, red."""
        if isinstance(self.image, bytes):
            return decode(self.image, self.name, colour=True)
        if isinstance(self.image, Path):
            return decode(read_file(self.image), self.name, colour=True)
        return self.image


class Source(NamedTuple):
    """Some of what was given: how many pictures, if that is known, and the pictures."""

    count: int
    pictures: object


def open_source(path, every=1):
    """Return the `Source` of one argument.

    Parameters
    ----------
    path : str
        An image file, a folder (looked through to its ends, links to folders not followed), a
        video, or - for an image on standard input.
    every : int
        Of a video, each so many frames are looked at.

    Raises
    ------
    UsageError
        There is no such file, or no image in the folder.
    """
    if path == "-":
        return Source(1, [Picture("-", sys.stdin.buffer.read(MAX_BYTES + 1), Path("stdin.png"))])
    if os.path.isdir(path):
        found = _images_in(path)
        return Source(len(found), [_of_file(file, file.relative_to(path)) for file in found])
    if not os.path.exists(path):
        raise UsageError(f"{path}: no such file or folder")
    if path.lower().endswith(VIDEOS):
        return _video(path, every)
    return Source(1, [_of_file(Path(path), Path(Path(path).name))])


def _of_file(path, place):
    return Picture(str(path), path, place.with_name(f"{place.name}.png"))


def _images_in(folder):
    files = [
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.lower().endswith(SUFFIXES) and not name.startswith(".")
    ]
    if not files:
        raise UsageError(f"{folder}: no image in it; wanted files named {', '.join(SUFFIXES)}")
    return sorted(files, key=lambda file: natural_key(str(file)))


def _video(path, every):
    video = open_video(path)
    width, height = (
        video.get(key) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    video.release()
    if width * height > MAX_PIXELS:
        error = ImageError(f"{path}: frames of more than {MAX_PIXELS // 10**6} million pixels")
        return Source(1, [Picture(path, error, Path())])
    return Source(max(0, -(-count // every)), _frames(path, every))


def _frames(path, every):
    stem = Path(path).name
    try:
        for number, frame in enumerate(video_frames(path)):
            if number % every == 0:
                yield Picture(f"{path}#{number}", frame, Path(f"{stem}_{number:06d}.png"))
    except ImageError as error:
        yield Picture(path, error, Path())
