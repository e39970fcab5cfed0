"""An image's shape as its header says it is the shape of the decoded image."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.datum import decode, header_shape

GREY = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
DEEP = GREY.astype(np.uint16)
BGR = np.dstack([GREY, GREY.T.reshape(20, 30), 255 - GREY])


def _encoded(ending: str, image: np.ndarray, *options: int) -> bytes:
    return cv2.imencode(ending, image, options)[1].tobytes()


def _turned(jpeg: bytes) -> bytes:
    """Return `jpeg` with an Exif that says that it lies on its side."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"
    return jpeg[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + jpeg[2:]


IMAGES = {
    "grey PNG": _encoded(".png", GREY),
    "PNG": _encoded(".png", BGR),
    "PNG with alpha": _encoded(".png", np.dstack([BGR, GREY])),
    "PNG of one bit": _encoded(".png", GREY & 128, cv2.IMWRITE_PNG_BILEVEL, 1),
    "grey JPEG": _encoded(".jpg", GREY),
    "JPEG": _encoded(".jpg", BGR),
    "progressive JPEG": _encoded(".jpg", BGR, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    "turned JPEG": _turned(_encoded(".jpg", BGR)),
    "BMP": _encoded(".bmp", BGR),
    "TIFF": _encoded(".tiff", BGR),
    "WebP": _encoded(".webp", BGR),
}


#: Those of which OpenCV alone can tell the shape; the last where it is made grey or BGR.
OPENCVS = {"PNG of one bit", "BMP", "TIFF", "WebP"}


@pytest.mark.parametrize("color", [None, True, False])
@pytest.mark.parametrize("name", IMAGES)
def test_a_header_says_what_decoding_gives(name: str, color: bool | None) -> None:
    datum = caffe_pb.Datum(encoded=True, data=IMAGES[name])
    unknown = name in OPENCVS or (name == "turned JPEG" and color is not None)
    wanted = None if unknown else decode(datum, color, "here").shape
    assert header_shape(datum, color, "here") == wanted


@pytest.mark.parametrize(
    "data",
    [b"", b"no image", IMAGES["PNG"][:20], IMAGES["JPEG"][:30], _encoded(".png", DEEP)],
)
def test_what_is_no_image_of_bytes(data: bytes) -> None:
    datum = caffe_pb.Datum(encoded=True, data=data)
    assert header_shape(datum, None, "here") is None
    with pytest.raises(LmdbError, match="here: an encoded image that cannot be decoded"):
        decode(datum, None, "here")
