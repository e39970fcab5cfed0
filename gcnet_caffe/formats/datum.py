"""The image of a Datum, and its shape.

Source: Caffe src/caffe/util/io.cpp (DecodeDatumToCVMat...), src/caffe/data_transformer.cpp.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from gcnet_caffe.errors import LmdbError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: (channels, height, width)
Shape = tuple[int, int, int]

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
#: PNG colour type -> channels, of those that OpenCV leaves as they are.
_PNG_CHANNELS = {0: 1, 2: 3, 6: 4}
#: The markers that start a frame, which says the size of a JPEG.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def raw_shape(datum: Any, origin: str) -> Shape:
    """Return the shape of the image of a Datum that is not encoded.

    Parameters
    ----------
    datum : Datum
    origin : str
        What errors call the record.

    Raises
    ------
    LmdbError
        The sizes do not fit the data.
    """
    shape = (datum.channels, datum.height, datum.width)
    size = len(datum.data) or len(datum.float_data)
    if min(shape) < 1 or size != shape[0] * shape[1] * shape[2]:
        raise LmdbError(
            f"{origin}: {size} values, wanted channels x height x width = "
            f"{shape[0]} x {shape[1]} x {shape[2]}"
        )
    return shape


def decode(datum: Any, color: bool | None, origin: str) -> NDArray[Any]:
    """Return the image of a Datum: (C, H, W), uint8, or float32 where it holds `float_data`.

    Parameters
    ----------
    datum : Datum
    color : bool or None
        An encoded image is made BGR (true), grey (false), or left as it is (None).
    origin : str
        What errors call the record.

    Raises
    ------
    LmdbError
        The sizes do not fit the data, or an encoded image cannot be decoded.
    """
    if datum.encoded:
        import cv2  # only here: most databases need no decoder, and it takes 0.1 s

        flags = {True: cv2.IMREAD_COLOR, False: cv2.IMREAD_GRAYSCALE, None: cv2.IMREAD_UNCHANGED}
        bytes_ = np.frombuffer(datum.data, np.uint8)
        image = cv2.imdecode(bytes_, flags[color]) if len(bytes_) else None
        if image is None or image.dtype != np.uint8:
            raise LmdbError(f"{origin}: an encoded image that cannot be decoded")
        return image[None] if image.ndim == 2 else np.ascontiguousarray(image.transpose(2, 0, 1))
    shape = raw_shape(datum, origin)
    data = np.frombuffer(datum.data, np.uint8) if datum.data else np.array(datum.float_data, "f4")
    return data.reshape(shape)


def header_shape(datum: Any, color: bool | None, origin: str) -> Shape | None:
    """Return the shape of what `decode` returns where the headers say it, otherwise None.

    They do where the image is not encoded, or is a common JPEG or PNG of 8 bits.

    Parameters
    ----------
    datum, color, origin
        As for `decode`.

    Raises
    ------
    LmdbError
        The image is not encoded, and its sizes do not fit the data.
    """
    if not datum.encoded:
        return raw_shape(datum, origin)
    data = datum.data
    found = None
    if data.startswith(_PNG):
        found = _shape_of_png(data)
    elif data.startswith(_JPEG):
        found = _shape_of_jpeg(data, may_turn=color is not None)
    if found is None or color is None:
        return found
    return (3 if color else 1, *found[1:])


def _shape_of_png(data: bytes) -> Shape | None:
    if len(data) < 33:
        return None
    width, height, depth, kind = struct.unpack(">IIBB", data[16:26])
    plain = depth == 8 and kind in _PNG_CHANNELS and b"tRNS" not in data
    return (_PNG_CHANNELS[kind], height, width) if plain else None


def _shape_of_jpeg(data: bytes, may_turn: bool) -> Shape | None:
    """Walk over the segments to the frame; `may_turn`: OpenCV obeys an Exif's orientation."""
    at = 2
    while at + 10 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xE1 and may_turn:
            return None
        if marker in _FRAMES:
            depth, height, width, channels = struct.unpack(">BHHB", data[at + 4 : at + 10])
            plain = depth == 8 and channels in (1, 3) and height
            return (channels, height, width) if plain else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
