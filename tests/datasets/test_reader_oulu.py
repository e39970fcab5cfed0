"""The Oulu-CASIA reader on miniatures of its trees."""

import os
import shutil

import pytest

from gcnet_caffe.datasets.readers import oulu
from gcnet_caffe.errors import ManifestError, UsageError
from tests.datasets.trees import picture, plain, sequence_of

#: subject -> expression folder -> frames. P002 comes before P010, 9b before 10.
FRAMES = {
    "P001": {
        "Anger": ("000", "001", "002", "003", "004"),
        "Disgust": ("000", "001", "002", "003"),
        "Fear": ("000", "001"),
        "Happiness": ("009", "9b", "010"),
        "Sadness": (),
        "Surprise": ("000", "001", "002"),
    },
    "P010": {"Anger": ("000", "001", "002", "003", "004")},
    "P002": {"Anger": ("000", "002", "003", "005"), "Fear": ("000",), "Other": ("000", "001")},
}
#: The later release: another first number, everywhere.
RENUMBERED = {
    subject: {
        name: tuple(f"{int(frame) + 7:03d}" if frame.isdigit() else "16b" for frame in frames)
        for name, frames in folders.items()
    }
    for subject, folders in FRAMES.items()
}

#: Where the original images are, and the cropped ones beside them.
TREES = [
    ("OriginalImg", "PreProcess_Img"),
    ("B_OriginalImg", "B_OriginalImg/PreProcess_Img"),
    ("B_OriginalImg/OriginalImg", "PreProcessImg"),
    ("B_OriginalImg/B_OriginalImg/OriginalImg", "B_OriginalImg/PreProcessImg"),
    ("Oulu_CASIA_NIR_VIS", "Oulu_CASIA_NIR_VIS/PreProcess_Img"),
    ("Oulu_CASIA_NIR_VIS", "Oulu_CASIA_NIR_VIS/PreProcessImg"),
    ("Oulu_CASIA_NIR_VIS", "Oulu_CASIA_NIR_VIS/PreProcess"),
    (".", "PreProcess"),
    (".", "B_OriginalImg/PreProcess"),
]
CAMERAS, LIGHTS = ("VL", "NI"), ("Strong", "Weak", "Dark")


def build(top, frames=FRAMES):
    for subject, folders in frames.items():
        for name, names in folders.items():
            (top / subject / name).mkdir(parents=True)
            for frame in names:
                picture(top / subject / name / f"{frame}.jpeg")
    (top / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


@pytest.fixture(scope="module", params=TREES, ids="+".join)
def tree(request, tmp_path_factory):
    """(root, original, cropped) of a whole data set: both cameras, every light, both kinds."""
    root = tmp_path_factory.mktemp("Oulu")
    subjects = tmp_path_factory.mktemp("subjects") / "all"
    build(subjects)
    for camera in CAMERAS:
        for light in LIGHTS:
            for top in (f"{request.param[0]}/{camera}", f"{request.param[1]}/{camera}_Acropped"):
                shutil.copytree(subjects, root / top / light, copy_function=os.link)
    return root, *request.param


def rows_of(folder, frames=FRAMES):
    """The rows to expect of `build`'s subjects in `folder`, sequence by sequence."""

    def sequence(subject, name, expression, ranks):
        names = sorted(frames[subject][name], key=lambda frame: (int(frame.rstrip("b")), frame))
        paths = [(rank, f"{folder}/{subject}/{name}/{names[rank]}.jpeg") for rank in ranks]
        return sequence_of(f"{subject}_{name}", subject, expression, paths, "Oulu-CASIA")

    return [
        *sequence("P001", "Anger", "anger", (0, 2, 3, 4)),
        *sequence("P001", "Disgust", "disgust", (0, 1, 2, 3)),
        *sequence("P001", "Fear", "fear", (0, 1)),
        *sequence("P001", "Happiness", "happy", (0, 1, 2)),
        *sequence("P001", "Surprise", "surprise", (0, 1, 2)),
        *sequence("P002", "Anger", "anger", (0, 1, 2, 3)),
        *sequence("P010", "Anger", "anger", (0, 2, 3, 4)),
    ]


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("cropped", [False, True], ids=["original", "cropped"])
def test_every_row_of_every_tree(tree, cropped, camera, light):
    root, *tops = tree
    top = f"{tops[cropped]}/{camera}{'_Acropped' if cropped else ''}/{light}".removeprefix("./")
    rows, survey = oulu.read(root, camera=camera, light=light, cropped=cropped)
    assert plain(rows, root) == rows_of(top)
    assert survey.where == root / top
    assert survey.known == {"sequences": (7, 480), "subjects": (3, 80)}
    assert survey.skipped == {
        "sequences without frames": 1,
        "sequences of one frame": 1,
        "folders that are not named after an expression": 1,
    }


@pytest.mark.parametrize("top", ["OriginalImg/VL/Strong", "PreProcess_Img/VL_Acropped/Strong"])
def test_renumbered_frames_are_taken_by_order(tmp_path, top):
    build(tmp_path / top, RENUMBERED)
    rows, _ = oulu.read(tmp_path, cropped=top.startswith("Pre"))
    assert plain(rows, tmp_path) == rows_of(top, RENUMBERED)
    assert rows[0].path.endswith("Anger/007.jpeg")


def test_frames_and_no_neutral_queries(tmp_path):
    build(tmp_path / "OriginalImg/NI/Dark")
    rows, _ = oulu.read(tmp_path, frames=1, neutral_queries=False, camera="NI", light="Dark")
    assert [row.rank for row in rows] == [4, 3, 1, 2, 2, 3, 4]


def test_bad_trees(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        oulu.read(tmp_path / "none")
    (tmp_path / "Photos").mkdir()
    with pytest.raises(ManifestError, match=r"looked for VL/Strong, .*; found Photos"):
        oulu.read(tmp_path)
    (tmp_path / "VL/Strong/P001/Anger").mkdir(parents=True)
    with pytest.raises(ManifestError, match="no sequence"):
        oulu.read(tmp_path)
    with pytest.raises(UsageError, match="--frames 0"):
        oulu.read(tmp_path, frames=0)
