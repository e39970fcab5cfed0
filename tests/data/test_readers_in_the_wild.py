"""The readers of FER2013, RAF-DB and SFEW on miniatures of their files."""

import numpy as np
import pytest

from gcnet_caffe.data.images import read_grey
from gcnet_caffe.data.readers import fer2013, rafdb, sfew
from gcnet_caffe.errors import ImageError, ManifestError
from tests.data.trees import picture, plain


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
        (f"{name}#{offset}", "", expression, "", "", None, "FER2013 PrivateTest")
        for offset, expression in zip(offsets[2:], ("neutral", "surprise"))
    ]
    assert survey.known == {"images of PrivateTest": (2, 3589)}
    assert survey.skipped == {"of Training": 1, "of PublicTest": 1}
    wanted = (3 + np.arange(48 * 48)) % 256
    assert np.array_equal(read_grey(rows[0].path), wanted.reshape(48, 48))
    assert [row.expression for row in fer2013.read(file, "Training")[0]] == ["anger"]
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


def test_fer2013_folders(tmp_path):
    for name in ("sad/1.jpg", "angry/2.jpg", "angry/10.jpg", "neutral/3.jpg", "surprise/4.jpg"):
        picture(tmp_path / "test" / name)
    rows, survey = fer2013.read(tmp_path, split="test")
    assert plain(rows, tmp_path / "test") == [
        (f"{name}.jpg", "", expression, "", "", None, "FER2013 test")
        for name, expression in (
            ("angry/2", "anger"),
            ("angry/10", "anger"),
            ("neutral/3", "neutral"),
            ("sad/1", "sad"),
            ("surprise/4", "surprise"),
        )
    ]
    assert survey.known == {"images of test": (5, 7178)}
    with pytest.raises(ManifestError, match="has mixed the public and the private test images"):
        fer2013.read(tmp_path)


def official(basic, spelling):
    lines = ["train_00001.jpg 5", "test_0001.jpg 1", "test_0002.jpg 7", "test_0003.jpg 4"]
    (basic / "EmoLabel").mkdir(parents=True)
    (basic / f"EmoLabel/list_{spelling}_label.txt").write_text("\n".join(lines) + "\n")
    for name in ("train_00001", "test_0001", "test_0002"):
        picture(basic / f"Image/original/{name}.jpg")
        picture(basic / f"Image/aligned/{name}_aligned.jpg")
    (basic / "Annotation/manual").mkdir(parents=True)
    (basic / "Annotation/auto").mkdir()  # 37 points of another scheme: not used
    for name in ("test_0001", "test_0002"):
        (basic / f"Annotation/auto/{name}_auto_attri.txt").write_text("1\t2\n" * 37)
    points = "40.5\t30\n20\t31\n30\t40\n38\t50\n22\t51\n"
    (basic / "Annotation/manual/test_0001_manu_attri.txt").write_text(points + "0\n1\n2\n")


@pytest.mark.parametrize("top, spelling", [("", "patition"), ("basic", "partition")])
def test_rafdb_official(tmp_path, top, spelling):
    basic = tmp_path / top
    official(basic, spelling)
    rows, survey = rafdb.read(tmp_path)
    assert plain(rows, basic) == [
        ("Image/original/test_0001.jpg", "", "surprise", "", "", None, "RAF-DB test"),
        ("Image/original/test_0002.jpg", "", "neutral", "", "", None, "RAF-DB test"),
    ]
    assert rows[0].landmarks.tolist() == [[20, 31], [40.5, 30], [30, 40], [22, 51], [38, 50]]
    assert [row.route for row in rows] == ["annotation", ""]
    assert survey.known == {"images of test": (2, 3068)}
    assert survey.skipped == {"not of test": 1, "listed, but no such image": 1}
    assert survey.noted == {"images without a manual annotation": 1}
    text = survey.text(rows)
    assert "subjects: not told, so no folds by subject" in text
    assert "with a reference: 0, so no pairs to train on" in text
    assert "with landmarks: 1, to be detected: 1" in text
    rows, _ = rafdb.read(tmp_path, split="train", aligned=True)
    assert plain(rows, basic) == [
        ("Image/aligned/train_00001_aligned.jpg", "", "sad", "", "", None, "RAF-DB train")
    ]


@pytest.mark.parametrize("name", ["DATASET/test", "raf-db/valid", "test"])
def test_rafdb_repacked(tmp_path, name):
    for label in range(1, 8):
        picture(tmp_path / name / str(label) / "test_1_aligned.jpg")
    rows, _ = rafdb.read(tmp_path)
    assert [row.expression for row in rows] == list(rafdb.EMOTIONS)


def test_rafdb_bad_trees(tmp_path):
    with pytest.raises(ManifestError, match="no RAF-DB with test images; looked for EmoLabel"):
        rafdb.read(tmp_path)
    official(tmp_path, "patition")
    (tmp_path / "Annotation/manual/test_0001_manu_attri.txt").write_text("1 2\n3\n")
    with pytest.raises(ManifestError, match="manu_attri.txt: wanted five lines of two numbers"):
        rafdb.read(tmp_path)
    (tmp_path / "EmoLabel/list_patition_label.txt").write_text("test_0001.jpg 8\n")
    with pytest.raises(ManifestError, match="label.txt: line 1: 'test_0001.jpg 8'; wanted NAME"):
        rafdb.read(tmp_path)


@pytest.mark.parametrize(
    "top",
    ["Val/Val_Aligned_Faces_new/Val_Aligned_Faces", "Val_Aligned_Faces_new", "Val_Aligned_Faces"],
)
def test_sfew(tmp_path, top):
    for name in ("Surprise/b.png", "Angry/x_2.png", "Angry/x_10.png", "Sad/c.png"):
        picture(tmp_path / top / name)
    (tmp_path / top / "Disgust").mkdir()
    rows, survey = sfew.read(tmp_path)
    assert plain(rows, tmp_path / top) == [
        (f"{name}.png", "", expression, "", "", None, "SFEW Val")
        for name, expression in (
            ("Angry/x_2", "anger"),
            ("Angry/x_10", "anger"),
            ("Sad/c", "sad"),
            ("Surprise/b", "surprise"),
        )
    ]
    assert survey.known["images of Val"][0] == 4


def test_sfew_of_kaggle(tmp_path):
    lines = ["image_name,label,emotion,original_split"]
    for i, split in enumerate(["Val"] * 7 + ["Train", "Val"]):
        lines.append(f"image_{i}.png,{i % 7},x,{split}_Aligned_Faces")
        if i < 8:
            picture(tmp_path / f"sfew2.0_images/image_{i}.png")
    listing = tmp_path / "sfew_2.0_labels.csv"
    listing.write_text("\n".join(lines) + "\n")
    rows, survey = sfew.read(tmp_path)
    alphabetical = ("anger", "disgust", "fear", "happy", "neutral", "sad", "surprise")
    assert plain(rows, tmp_path) == [
        (f"sfew2.0_images/image_{i}.png", "", name, "", "", None, "SFEW Val")
        for i, name in enumerate(alphabetical)
    ]
    assert survey.skipped == {"not of Val": 1, "listed, but no such image": 1}
    assert len(sfew.read(listing, split="Train")[0]) == 1
    listing.write_text("image_name,label,original_split\na.png,7,Val\n")
    with pytest.raises(ManifestError, match="row 1: image 'a.png', label '7'; wanted 0 to 6"):
        sfew.read(tmp_path)
    listing.write_text("image_name,label\na.png,6\n")
    with pytest.raises(ManifestError, match="no column 'original_split'"):
        sfew.read(tmp_path)


def test_sfew_bad_trees(tmp_path):
    with pytest.raises(ManifestError, match="no SFEW Val folders"):
        sfew.read(tmp_path)
    (tmp_path / "Val").mkdir()
    (tmp_path / "Val/Val_Aligned_Faces_new.zip").write_bytes(b"PK")
    with pytest.raises(ManifestError, match="Val_Aligned_Faces_new.zip: still packed"):
        sfew.read(tmp_path)
