"""The FER2013 reader on miniatures of its csv files and folders."""

import numpy as np
import pytest

from gcnet_caffe.data.images import read_grey
from gcnet_caffe.data.readers import fer2013
from gcnet_caffe.errors import ImageError, ManifestError
from tests.data.trees import picture, plain, still


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
        ("emotion,pixels\n1,0\n", "no column 'usage'; found 'emotion, pixels'"),
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
