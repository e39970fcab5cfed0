"""The readers of FER2013, RAF-DB and SFEW on miniatures of their files."""

import zipfile

import numpy as np
import pytest

from gcnet_caffe.data.images import read_grey
from gcnet_caffe.data.manifest import Row
from gcnet_caffe.data.readers import fer2013, rafdb, sfew
from gcnet_caffe.errors import ImageError, ManifestError
from tests.data.trees import picture, plain


def still(path, expression, source, landmarks=None):
    """The plain row to expect of an image in the wild: no subject, no reference."""
    route = "annotation" if landmarks else ""
    return Row(path, "", expression, source=source, landmarks=landmarks, route=route)


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
    (basic / "Annotation/boundingbox").mkdir()
    (basic / "Annotation/boundingbox/test_0001_boundingbox.txt").write_text("1 2 9 10\n")
    points = "40.5\t30\n20\t31\n30\t40\n38\t50\n22\t51\n"
    (basic / "Annotation/manual/test_0001_manu_attri.txt").write_text(points + "0\n1\n2\n")


@pytest.mark.parametrize("spelling", ["patition", "partition"])
@pytest.mark.parametrize("top", ["", "basic"])
def test_rafdb_official(tmp_path, top, spelling):
    basic = tmp_path / top
    official(basic, spelling)
    rows, survey = rafdb.read(tmp_path)
    points = [[20, 31], [40.5, 30], [30, 40], [22, 51], [38, 50]]
    assert plain(rows, basic) == [
        still("Image/original/test_0001.jpg", "surprise", "RAF-DB test", points),
        still("Image/original/test_0002.jpg", "neutral", "RAF-DB test"),
    ]
    assert survey.known == {"images of test": (2, 3068)}
    assert survey.skipped == {"not of test": 1, "listed, but no such image": 1}
    assert survey.noted == {"images without a manual annotation": 1}
    text = survey.text(rows)
    assert "subjects: not told, so no folds by subject" in text
    assert "with a reference: 0, so no pairs to train on" in text
    assert "with landmarks: 1, to be detected: 1" in text
    rows, _ = rafdb.read(tmp_path, split="train", aligned=True)
    wanted = [still("Image/aligned/train_00001_aligned.jpg", "sad", "RAF-DB train")]
    assert plain(rows, basic) == wanted


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    "top, test_folder", [("DATASET/", "test"), ("raf-db/", "valid"), ("", "test"), ("", "valid")]
)
def test_rafdb_repacked(tmp_path, top, test_folder, split):
    """The Kaggle re-packaging, and the one that POSTER_V2 trains from."""
    for folder, stem in (("train", "train"), (test_folder, "test")):
        for label in range(1, 8):
            for number in (2, 10):
                picture(tmp_path / f"{top}{folder}/{label}/{stem}_{number}_aligned.jpg")
    (tmp_path / "train_labels.csv").write_text("image,label\n")
    rows, survey = rafdb.read(tmp_path, split)
    folder = top + {"train": "train", "test": test_folder}[split]
    expressions = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")
    assert plain(rows, tmp_path) == [
        still(f"{folder}/{label}/{split}_{number}_aligned.jpg", expression, f"RAF-DB {split}")
        for label, expression in enumerate(expressions, start=1)
        for number in (2, 10)
    ]
    assert survey.where == tmp_path / folder
    assert survey.known == {f"images of {split}": (14, {"train": 12271, "test": 3068}[split])}


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


#: Images of a split; the folder Disgust is empty.
SFEW_IMAGES = ("Angry/x_2", "Angry/x_10", "Fear/a", "Happy/a", "Neutral/a", "Sad/c", "Surprise/b")


def sfew_tree(top):
    for name in SFEW_IMAGES:
        picture(top / f"{name}.png", size=(181, 143))
    (top / "Disgust").mkdir()


def sfew_rows(top, split):
    expressions = ("anger", "anger", "fear", "happy", "neutral", "sad", "surprise")
    return [
        still(f"{top}/{name}.png", expression, f"SFEW {split}")
        for name, expression in zip(SFEW_IMAGES, expressions)
    ]


@pytest.mark.parametrize("split", ["Val", "Train"])
@pytest.mark.parametrize(
    "val, train",
    [
        ("Val/Val_Aligned_Faces_new/Val_Aligned_Faces", "Train/Train_Aligned_Faces"),
        (
            "Val_Aligned_Faces_new/Val_Aligned_Faces",
            "Train/Train_Aligned_Faces/Train_Aligned_Faces",
        ),
        ("Val/Val_Aligned_Faces", "Train_Aligned_Faces/Train_Aligned_Faces"),
        ("Val/Val_Aligned_Faces_new", "Train_Aligned_Faces"),
        ("Val_Aligned_Faces", "Train"),
        ("Val_Aligned_Faces_new", "Train"),
        ("Val", "Train"),
    ],
)
def test_sfew(tmp_path, val, train, split):
    sfew_tree(tmp_path / val)
    sfew_tree(tmp_path / train)
    (tmp_path / "Test_Aligned_Faces.zip").write_bytes(b"PK")  # without labels, left packed
    rows, survey = sfew.read(tmp_path, split)
    top = {"Val": val, "Train": train}[split]
    assert plain(rows, tmp_path) == sfew_rows(top, split)
    assert survey.where == tmp_path / top and survey.known[f"images of {split}"][0] == 7


@pytest.mark.parametrize(
    "split, folder, archive, inside",
    [
        ("Val", "Val", "Val_Aligned_Faces_new", "Val_Aligned_Faces_new/Val_Aligned_Faces"),
        ("Val", "", "Val_Aligned_Faces_new", "Val_Aligned_Faces"),
        ("Train", "Train", "Train_Aligned_Faces", "Train_Aligned_Faces"),
        ("Train", "", "Train_Aligned_Faces", "Train_Aligned_Faces"),
    ],
)
def test_sfew_as_zips(tmp_path, split, folder, archive, inside):
    """Refused by name, and read once it is unzipped as the message says."""
    sfew_tree(tmp_path / "packed" / inside)
    root = tmp_path / "SFEW"
    (root / folder).mkdir(parents=True)
    file = root / folder / f"{archive}.zip"
    with zipfile.ZipFile(file, "w") as packed:
        for path in sorted((tmp_path / "packed").rglob("*")):
            packed.write(path, path.relative_to(tmp_path / "packed"))
    (root / "Test_Aligned_Faces.zip").write_bytes(b"PK")
    with pytest.raises(ManifestError, match=f"{file}: still packed; unzip it beside itself"):
        sfew.read(root, split)
    with zipfile.ZipFile(file) as packed:
        packed.extractall(file.parent)
    rows, _ = sfew.read(root, split)
    top = f"{folder}/{inside}".lstrip("/")
    assert plain(rows, root) == sfew_rows(top, split)


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
        still(f"sfew2.0_images/image_{i}.png", name, "SFEW Val")
        for i, name in enumerate(alphabetical)
    ]
    assert survey.skipped == {"not of Val": 1, "listed, but no such image": 1}
    wanted = [still("sfew2.0_images/image_7.png", "anger", "SFEW Train")]
    assert plain(sfew.read(listing, split="Train")[0], tmp_path) == wanted
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
