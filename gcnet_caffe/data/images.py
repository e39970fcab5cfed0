"""Reading a photograph as pixels: upright, whole, and not larger than memory."""

import io
import os
import stat
import warnings

import cv2
import numpy as np

from gcnet_caffe.data.members import read_member, split_member
from gcnet_caffe.data.quiet import silent_opencv
from gcnet_caffe.errors import ImageError

#: An image of more pixels is refused, from its header, and a larger file before it is read.
MAX_PIXELS = 100_000_000
MAX_BYTES = 500_000_000

#: What is read, by Pillow's names (PPM: PGM and PBM as well). Other decoders are not let near.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")


def read_grey(path):
    """Read the image file `path`, whatever its name ends with, as grey.

    The path may name an image inside another file: see `members`. A photograph whose EXIF data
    say that the camera was turned is turned upright.

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


def decode(data, name, colour=False):
    """Decode the bytes of an image file.

    Parameters
    ----------
    data : bytes
    name : str or Path
        Of the image, for the error message.
    colour : bool
        Whether to keep the colours.

    Returns
    -------
    (H, W) or, in colour, (H, W, 3) ndarray of uint8
        0..255, upright; colours in the order blue, green, red.

    Raises
    ------
    ImageError
    """
    if not data or _is_cut(data):
        raise ImageError(f"{name}: the image is cut off after {len(data)} bytes")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name}: more than {MAX_BYTES} bytes; not decoded")
    _check_header(data, name)
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


def read_file(path):
    """Return the bytes of the image file `path`.

    Raises
    ------
    ImageError
        It is missing, no ordinary file, or larger than `MAX_BYTES`.
    """
    try:
        state = os.stat(path)
        if stat.S_ISREG(state.st_mode) and state.st_size <= MAX_BYTES:
            with open(path, "rb") as file:
                return file.read()
    except OSError as error:
        raise ImageError(f"{path}: cannot read the image: {error.strerror}") from None
    if stat.S_ISREG(state.st_mode):
        raise ImageError(f"{path}: {state.st_size} bytes; wanted at most {MAX_BYTES}")
    raise ImageError(f"{path}: not a file; wanted an image")


def _check_header(data, name):
    """Raise an ImageError unless the header is of an image that is not too large."""
    from PIL import Image  # comes with scikit-image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's about large images; the limit is ours
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height <= MAX_PIXELS:
                    image.verify()  # of a PNG the checksums; libpng would print
    except Image.DecompressionBombError:
        width, height = MAX_PIXELS, 2  # at least
    except Exception:  # of many kinds: whatever Pillow stumbles over in broken data
        raise ImageError(f"{name}: not a whole image; wanted {', '.join(FORMATS)}") from None
    if width * height > MAX_PIXELS:
        raise ImageError(f"{name}: more than {MAX_PIXELS // 10**6} million pixels; not decoded")


def _is_cut(data):
    """Whether a PNG or JPEG lacks its end: decoders fill the rest with grey, or print to stderr."""
    if data.startswith(b"\x89PNG"):
        return data.rfind(b"IEND", -64) < 0
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9", -4096) < 0
    return False


def _read_gif(data, name, colour):
    """The first frame of a GIF, which OpenCV reads only from 4.11 on."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(data), formats=("GIF",))
        if not colour:
            return np.array(image.convert("L"))
        return np.ascontiguousarray(np.array(image.convert("RGB"))[:, :, ::-1])
    except Exception:  # of many kinds: whatever Pillow stumbles over in broken data
        raise ImageError(f"{name}: not a whole GIF image") from None
