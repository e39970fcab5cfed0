"""The RAF-DB reader on miniatures of the official tree and of its re-packagings."""

import pytest

from gcnet_caffe.datasets.readers import rafdb
from gcnet_caffe.errors import ManifestError
from tests.datasets.trees import picture, plain, still


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
    assert "subjects: unknown, so no folds by subject" in text
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
