"""Reading a photograph as grey pixels."""

import io
import os

import cv2
import numpy as np

from gcnet_caffe.data.members import read_member, split_member
from gcnet_caffe.errors import ImageError


def read_grey(path):
    """Read the image file `path`, whatever its name ends with, as grey.

    The path may name an image inside another file: see `members`.

    Returns
    -------
    (H, W) ndarray of uint8
        0..255. Of a GIF, the first frame.

    Raises
    ------
    ImageError
        The file is missing or not a whole image.
    """
    file, member = split_member(path)
    if member:
        data = read_member(file, member)
        if isinstance(data, np.ndarray):
            return data
    else:
        data = _read_file(path)
    if not data or _is_cut(data):
        raise ImageError(f"{path}: the image is cut off after {len(data)} bytes")
    if data.startswith(b"GIF8"):
        return _read_gif(data, path)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ImageError(f"{path}: not an image that OpenCV can decode")
    return image


def image_exists(path):
    """Whether the image's file is there (not whether it can be read)."""
    return os.path.isfile(split_member(path)[0])


def file_state(path):
    """What tells that the image's file has changed: (size, time, mode), or None without a file."""
    try:
        state = os.stat(split_member(path)[0])
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns, state.st_mode


def _read_file(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ImageError(f"{path}: cannot read the image: {error.strerror}") from None


def _is_cut(data):
    """Whether a PNG or JPEG lacks its end: decoders fill the rest with grey, or print to stderr."""
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND", -64) < 0
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9", -4096) < 0
    return False


def _read_gif(data, path):
    """The first frame of a GIF, which OpenCV reads only from 4.11 on."""
    from PIL import Image  # comes with scikit-image

    try:
        return np.array(Image.open(io.BytesIO(data)).convert("L"))
    except Exception:  # of many kinds: whatever Pillow stumbles over in broken data
        raise ImageError(f"{path}: not a whole GIF image") from None
