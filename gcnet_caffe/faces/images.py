"""Reading a photograph as pixels: upright, whole, and not larger than memory.

The format is found from the bytes, not from the name. Bytes after the image's end are ignored:
phones put a short video there (Motion Photos), or more pictures.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from gcnet_caffe.errors import ImageError
from gcnet_caffe.faces.file_kinds import HEAD, IMAGE, RAW, UNREAD, Kind, kind_of
from gcnet_caffe.faces.images_in_files import read_member, split_member
from gcnet_caffe.faces.silent_opencv import silent_opencv
from gcnet_caffe.text import check_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: An image of more pixels is refused, from its header, and a larger file before it is read.
MAX_PIXELS = 100_000_000
MAX_BYTES = 500_000_000

#: What is read, by Pillow's names (PPM: PGM and PBM as well). No other decoder is used.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def read_grey(path: str | Path) -> NDArray[np.uint8]:
    """Read the image file `path` as grey.

    A photograph is rotated upright if its EXIF data say that the camera was turned.

    Parameters
    ----------
    path : str or Path
        The name may have any ending. It may also be that of an image inside another file: see
        `members`.

    Returns
    -------
    (H, W) ndarray of uint8
        0..255. Of a GIF, the first frame.

    Raises
    ------
    ImageError
        The file is missing, not a whole image, or larger than `MAX_PIXELS` or `MAX_BYTES`.
    """
    file, member = split_member(path)
    if not member:
        return decode(read_file(path), path)
    found = read_member(file, member)
    return found if isinstance(found, np.ndarray) else decode(found, path)


def decode(data: bytes, name: str | Path, colour: bool = False) -> NDArray[np.uint8]:
    """Decode the bytes of an image file.

    Parameters
    ----------
    data : bytes
    name : str or Path
        The image's name, for the error message.
    colour : bool
        Whether to keep the colours.

    Returns
    -------
    (H, W) or, in colour, (H, W, 3) ndarray of uint8
        0..255, upright; colours in the order blue, green, red.

    Raises
    ------
    ImageError
        The bytes are not a whole image of `_FORMATS`, or more than `MAX_PIXELS` or `MAX_BYTES`.
    """
    if not data:
        raise ImageError(f"{name}: empty; wanted an image")
    kind = kind_of(data[:HEAD])
    _refuse_other_kinds(kind, name)
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name}: more than {MAX_BYTES} bytes; not decoded")
    _check(data, kind, name)
    if data.startswith(b"GIF8"):
        return _read_gif(data, name, colour)
    with silent_opencv():
        try:
            way = cv2.IMREAD_COLOR if colour else cv2.IMREAD_GRAYSCALE
            image = cv2.imdecode(np.frombuffer(data, np.uint8), way)
        except cv2.error:
            image = None
    if image is None:
        raise ImageError(f"{name}: not an image that OpenCV can decode, or not a whole one")
    return np.asarray(image, np.uint8)


def image_exists(path: str | Path) -> bool:
    """Return whether the image's file exists (not whether it can be read).

    Parameters
    ----------
    path : str or Path
        Also of an image inside another file: see `images_in_files`.

    Returns
    -------
    bool
    """
    return os.path.isfile(split_member(path)[0])


def file_state(path: str | Path) -> tuple[int, int, int] | None:
    """Return what shows a change of the image's file.

    Parameters
    ----------
    path : str or Path
        Also of an image inside another file: see `images_in_files`.

    Returns
    -------
    (size, time, mode), or None
        Bytes, nanoseconds and bits, as of `os.stat`; None without a file.
    """
    try:
        state = os.stat(split_member(path)[0])
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns, state.st_mode


def read_file(path: str | Path) -> bytes:
    """Return the bytes of the image file `path`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    bytes

    Raises
    ------
    ImageError
        It is missing, not an ordinary file, larger than `MAX_BYTES`, or its first bytes are not an
        image's.
    """
    check_name(path, ImageError)
    try:
        state = os.stat(path)
        if not stat.S_ISREG(state.st_mode):
            raise ImageError(f"{path}: not a file; wanted an image")
        with open(path, "rb") as file:
            _refuse_other_kinds(kind_of(file.read(HEAD)), path)
            file.seek(0)
            if state.st_size <= MAX_BYTES:
                return file.read()
    except OSError as error:
        raise ImageError(f"{path}: cannot read the image: {error.strerror}") from None
    raise ImageError(f"{path}: {state.st_size} bytes; wanted at most {MAX_BYTES}")


def not_read(kind: Kind) -> str:
    """Return, for an error message, what a file is that is not an image that can be read.

    Parameters
    ----------
    kind : Kind
        Of the file; its sort is not `IMAGE`.

    Returns
    -------
    str
    """
    if kind.sort == UNREAD:
        return f"{kind.words}, which is not read; convert it to JPEG or PNG"
    return f"{kind.words}; wanted an image"


def _refuse_other_kinds(kind: Kind | None, name: str | Path) -> None:
    if kind is not None and kind.sort != IMAGE:
        raise ImageError(f"{name}: {not_read(kind)}")


def _check(data: bytes, kind: Kind | None, name: str | Path) -> None:
    """Raise an ImageError unless Pillow finds the image whole, and it is not too large.

    OpenCV refuses what is cut off in every format but one: before 4.12 it fills the rest of a JPEG
    with grey. Pillow decodes JPEGs at an eighth of their size for that. Of a JPEG or PNG that is
    whole by its segments or chunks, Pillow is not asked: it would take as long as the decoding.
    """
    if _is_whole_jpeg(data) or _is_whole_png(data):
        return
    if data.startswith((b"II", b"MM")):
        _check_tiff(data, name)
    try:
        stream = io.BytesIO(data)
        with _strict_pillow(), Image.open(stream, formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if data.startswith(b"\xff\xd8"):
                image.draft("L", (1, 1))
                image.load()
            else:
                image.verify()  # of a PNG all chunks up to IEND; libpng would print
                if image.format == "PNG" and len(data) < stream.tell() + 4:
                    raise OSError("truncated in IEND's checksum")
    except Image.DecompressionBombError:  # Pillow's own limit may be lower
        millions = MAX_PIXELS // 10**6
        raise ImageError(f"{name}: more than {millions} million pixels; not decoded") from None
    except Exception as error:  # of many kinds: whatever Pillow stumbles over in broken data
        if kind is None:
            raise ImageError(f"{name}: not an image; wanted {', '.join(_FORMATS)}") from None
        if "truncated" in str(error).lower():
            raise ImageError(f"{name}: the image is cut off after {len(data)} bytes") from None
        what = kind.words.partition(" ")[2]
        raise ImageError(f"{name}: not a whole image: cut off or damaged {what}") from None


#: The markers of the frames that are common, and of the scan, which the image's data follow.
_FRAMES, _SCAN = (0xC0, 0xC1, 0xC2), 0xDA


def _is_whole_jpeg(data: bytes) -> bool:
    """Return whether this is a common JPEG, not too large, with its end behind its scan."""
    at, pixels = 2, 0
    while data.startswith(b"\xff\xd8") and data[at : at + 1] == b"\xff" and at + 9 <= len(data):
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            pixels = height * width
        if marker == _SCAN:  # in the data of an image 0xff is followed by 0
            ends = data.endswith(b"\xff\xd9", at) or data.find(b"\xff\xd9", at) > 0
            return ends and 0 < pixels <= MAX_PIXELS
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def _is_whole_png(data: bytes) -> bool:
    """Return whether this is a PNG, not too large, whose chunks are whole and have their CRCs."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR") or len(data) < 24:
        return False
    width, height = struct.unpack_from(">II", data, 16)
    at, kind, view = 8, b"", memoryview(data)
    while kind != b"IEND" and at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + size
        if data[end : end + 4] != zlib.crc32(view[at + 4 : end]).to_bytes(4, "big"):
            return False
        at = end + 4
    return kind == b"IEND" and width * height <= MAX_PIXELS


@contextlib.contextmanager
def _strict_pillow() -> Iterator[None]:
    """Make Pillow refuse what is cut off, whatever the program has set, and not warn of size."""
    kept, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about large images; the limit is ours
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = kept


#: TIFF 6.0's tags, and DNG's.
_NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE, _SAMPLE_FORMAT, _DNG_VERSION = 254, 258, 339, 50706
_REDUCED, _FLOATING_POINT = 1, 3


def _check_tiff(data: bytes, name: str | Path) -> None:
    """Raise an ImageError for a TIFF that holds a camera's raw data or has too deep pixels."""
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if 43 in data[2:4] else 8])
        with _strict_pillow():
            stream = io.BytesIO(data)
            stream.seek(tags.next)
            tags.load(stream)
        reduced = tags.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED
        bits = max(tags.get(_BITS_PER_SAMPLE, (1,)))
        real = _FLOATING_POINT in tags.get(_SAMPLE_FORMAT, ())
    except Exception:  # of many kinds; what follows refuses a broken TIFF
        return
    if reduced or _DNG_VERSION in tags:  # the first picture is a small preview
        raise ImageError(f"{name}: {not_read(Kind(UNREAD, RAW))}")
    if bits > 16 or real:
        pixels = f"{bits}-bit {'floating point ' if real else ''}pixels"
        raise ImageError(
            f"{name}: a TIFF image of {pixels}, which is not read; convert it to 8 or 16 bits"
        )


def _read_gif(data: bytes, name: str | Path, colour: bool) -> NDArray[np.uint8]:
    """The first frame of a GIF, which OpenCV reads only from 4.11 on."""
    try:
        with _strict_pillow():
            image = Image.open(io.BytesIO(data), formats=("GIF",))
            pixels = np.array(image.convert("RGB" if colour else "L"))
            return np.ascontiguousarray(pixels[..., ::-1]) if colour else pixels
    except Exception:  # of many kinds: whatever Pillow stumbles over in broken data
        raise ImageError(f"{name}: not a whole GIF image: cut off or damaged") from None
