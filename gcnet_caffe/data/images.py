"""Reading a photograph as grey pixels."""

import cv2
import numpy as np

from gcnet_caffe.errors import ImageError


def read_grey(path):
    """Read the image file `path`, whatever its name ends with, as grey.

    Returns
    -------
    (H, W) ndarray of uint8
        0..255. Of a GIF, the first frame.

    Raises
    ------
    ImageError
        The file is missing or not a whole image.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ImageError(f"{path}: cannot read the image: {error.strerror}") from None
    if not data or _is_cut(data):
        raise ImageError(f"{path}: the image is cut off after {len(data)} bytes")
    if data.startswith(b"GIF8"):
        return _read_gif(path)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ImageError(f"{path}: not an image that OpenCV can decode")
    return image


def _is_cut(data):
    """Whether a PNG or JPEG lacks its end: decoders fill the rest with grey, or print to stderr."""
    if data.startswith(b"\x89PNG"):
        return b"IEND" not in data[-64:]
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in data[-4096:]
    return False


def _read_gif(path):
    """The first frame of a GIF, which OpenCV reads only from 4.11 on."""
    import skimage.io  # slow to import, and seldom needed

    try:
        frames = np.asarray(skimage.io.imread(path))
    except Exception as error:  # whatever the decoder under scikit-image raises on broken data
        raise ImageError(f"{path}: not a whole GIF image: {error}") from None
    colours = frames.shape[-1] in (3, 4) and frames.ndim > 2
    frame = frames.reshape(-1, *frames.shape[-3:])[0] if colours else frames
    if colours:
        return cv2.cvtColor(np.ascontiguousarray(frame[..., :3]), cv2.COLOR_RGB2GRAY)
    return frame.reshape(-1, *frame.shape[-2:])[0]
