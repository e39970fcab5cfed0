"""The images of an LMDB as Caffe's TEST phase sees them."""

import cv2
import numpy as np
import pytest

from gcnet_caffe.errors import LmdbError
from gcnet_caffe.formats import caffe_pb
from gcnet_caffe.formats.lmdb_file import LmdbWriter
from gcnet_caffe.inference.images import read_images

IMAGE = np.random.default_rng(0).integers(0, 256, (2, 66, 66), np.uint8)


def raw(image, **changed):
    channels, height, width = image.shape
    facts = {"channels": channels, "height": height, "width": width, "data": image.tobytes()}
    return caffe_pb.Datum(**{**facts, **changed})


def encoded(image):
    data = cv2.imencode(".png", image)[1].tobytes()
    return caffe_pb.Datum(data=data, encoded=True, label=3)


def packed(folder, *datums):
    with LmdbWriter(folder / "lmdb") as writer:
        for i, datum in enumerate(datums):
            writer.put(f"{i:02}_a", datum.SerializeToString())
    return folder / "lmdb"


def test_raw_and_encoded_images_are_cropped_at_their_centre(tmp_path):
    found = read_images(packed(tmp_path, raw(IMAGE[:1]), encoded(IMAGE[0])))
    assert found.keys == ["00_a", "01_a"] and found.labels.tolist() == [0, 3]
    wanted = IMAGE[:1, 1:65, 1:65] * np.float32(1 / 255)
    assert found.images.dtype == np.float32
    np.testing.assert_array_equal(found.images, [wanted, wanted])


def test_numbers_are_read_too(tmp_path):
    values = IMAGE[:1] + np.float32(0.5)
    datum = raw(IMAGE[:1], data=b"", float_data=values.ravel())
    found = read_images(packed(tmp_path, datum)).images[0]
    np.testing.assert_array_equal(found, values[:, 1:65, 1:65] * np.float32(1 / 255))


@pytest.mark.parametrize(
    "datums, wanted",
    [
        ([raw(IMAGE, data=b"123")], "record '00_a': 3 values, wanted channels x height x width"),
        ([raw(IMAGE[:, :60])], "record '00_a': 60x66 pixels, wanted at least 64x64"),
        ([encoded(IMAGE[0, :60])], "record '00_a': 60x66 pixels, wanted at least 64x64"),
        ([raw(IMAGE, encoded=True)], "record '00_a': an encoded image that cannot be decoded"),
        ([raw(IMAGE), raw(IMAGE[:1])], "record '01_a': 1 channels, wanted 2 as before it"),
    ],
)
def test_a_record_that_is_no_such_image_is_named(datums, wanted, tmp_path):
    with pytest.raises(LmdbError) as error:
        read_images(packed(tmp_path, *datums))
    assert str(error.value).startswith(f"{tmp_path}/lmdb: {wanted}")
