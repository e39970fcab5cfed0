"""The pictures that a `Recognizer` takes, of many kinds, as grey pixels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, BinaryIO, Union

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.faces.images import MAX_BYTES, MAX_PIXELS, decode, read_grey

#: Colour order of an array -> its conversion to grey.
COLOURS = {"rgb": cv2.COLOR_RGB2GRAY, "bgr": cv2.COLOR_BGR2GRAY}

#: What may be given as a picture.
Input = Union[
    str,
    "os.PathLike[str]",
    bytes,
    bytearray,
    memoryview,
    BinaryIO,
    Image.Image,
    NDArray[np.uint8],
    NDArray[np.floating[Any]],
]

_TAKEN = (
    "a path, an image file's bytes, a file open for reading in binary, a PIL image, or an array"
)


def as_grey(image: Input, colour: str | None = None) -> NDArray[np.uint8]:
    """Return a picture as grey pixels.

    Parameters
    ----------
    image : Input
        As `Recognizer.predict` takes it.
    colour : {"rgb", "bgr"}, optional
        The order of the colours of an (H, W, 3) array.

    Returns
    -------
    (H, W) ndarray of uint8
        0..255, upright.

    Raises
    ------
    ImageError
        The file cannot be read, is not a whole image, or is too large.
    UsageError
        `image` is of another type, or an array of another shape, type or range.
    """
    if isinstance(image, (bytes, bytearray, memoryview)):
        return decode(bytes(image), "image")
    if isinstance(image, np.ndarray):
        return _of_array(image, colour)
    if isinstance(image, Image.Image):
        return _of_pil(image)
    if isinstance(image, (str, os.PathLike)):
        return read_grey(Path(image))
    if hasattr(image, "read"):
        return _of_open_file(image)
    found = type(image).__name__
    if image is None:
        found = "None (cv2.imread gives it for a file that it cannot read)"
    raise UsageError(f"picture: found {found}; wanted {_TAKEN}")


def check_colour(colour: str | None) -> None:
    """Raise a UsageError unless `colour` is one of `COLOURS`, or None."""
    if colour is not None and colour not in COLOURS:
        raise UsageError(f"colour: found {colour!r}, wanted 'rgb' or 'bgr' for an (H, W, 3) array")


def check_several(images: object) -> None:
    """Raise a UsageError where `images` is one picture, or cannot be iterated over."""
    one = isinstance(images, (str, os.PathLike, bytes, bytearray, memoryview, Image.Image))
    if one or hasattr(images, "read") or not hasattr(images, "__iter__"):
        raise UsageError(f"pictures: found one {type(images).__name__}; wanted a list of pictures")


def _of_open_file(file: BinaryIO) -> NDArray[np.uint8]:
    """The whole of an open file, as Pillow takes it, wherever it has been read to."""
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) else "image"
    try:
        if hasattr(file, "seek") and (not hasattr(file, "seekable") or file.seekable()):
            file.seek(0)
        data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: it is closed
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{name}: cannot read the image: {reason}") from None
    if not isinstance(data, bytes):
        raise UsageError(
            f"picture: found a file that gives {type(data).__name__}; wanted one open in binary "
            '(open(path, "rb"))'
        )
    return decode(data, name)


def _of_pil(image: Image.Image) -> NDArray[np.uint8]:
    """A PIL image as OpenCV reads its file: upright, without transparency, 16 bits cut to 8."""
    name = getattr(image, "filename", "") or "PIL image"
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"{name}: more than {MAX_PIXELS // 10**6} million pixels; not decoded")
    if 0 in image.size:
        raise UsageError(f"PIL image: found the size {image.size}, wanted pixels")
    if image.mode in ("I", "F"):
        raise UsageError(
            f"PIL image: found mode {image.mode!r} (32-bit pixels), wanted 8 or 16 bits"
        )
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            return (np.asarray(image) >> 8).astype(np.uint8)
        return _grey(np.array(image.convert("RGB")), "rgb")
    except Exception as error:  # of many kinds: Pillow reads the file only now
        raise ImageError(f"{name}: not a whole image: {error}") from None


def _of_array(image: NDArray[Any], colour: str | None) -> NDArray[np.uint8]:
    if image.dtype != np.uint8:
        image = _from_unit_range(image)
    if 0 in image.shape:
        raise UsageError(f"array: found the shape {image.shape}, wanted pixels")
    if image.ndim == 2:
        return np.ascontiguousarray(image)
    if image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(f"array: found the shape {image.shape}, wanted (H, W) or (H, W, 3)")
    if colour is None:
        raise UsageError("colour: found None, wanted 'rgb' or 'bgr' for an (H, W, 3) array")
    return _grey(np.ascontiguousarray(image), colour)


def _grey(image: NDArray[np.uint8], colour: str) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(image, COLOURS[colour]), np.uint8)


def _from_unit_range(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype.kind != "f":
        raise UsageError(f"array: found {image.dtype}, wanted uint8 (0..255) or floats (0..1)")
    if image.size and not (image.min() >= 0 and image.max() <= 1):  # false for NaN, too
        low, high = image.min(), image.max()
        raise UsageError(f"array: found values of {low:g} to {high:g}, wanted floats of 0..1")
    return (image * 255).round().astype(np.uint8)
