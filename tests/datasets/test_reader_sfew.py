"""The SFEW reader on miniatures of its folders, zips and Kaggle's csv."""

import zipfile

import pytest

from gcnet_caffe.datasets.readers import sfew
from gcnet_caffe.errors import ManifestError
from tests.datasets.trees import picture, plain, still

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
    with pytest.raises(ManifestError, match=f"{file}: still packed; unzip it in its folder"):
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
    with pytest.raises(ManifestError, match="column .original_split. is missing"):
        sfew.read(tmp_path)


def test_sfew_bad_trees(tmp_path):
    with pytest.raises(ManifestError, match="no SFEW Val folders"):
        sfew.read(tmp_path)
    (tmp_path / "Val").mkdir()
    (tmp_path / "Val/Val_Aligned_Faces_new.zip").write_bytes(b"PK")
    with pytest.raises(ManifestError, match="Val_Aligned_Faces_new.zip: still packed"):
        sfew.read(tmp_path)
