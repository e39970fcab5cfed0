"""Bad trees, for every reader: one line that says what was looked for and what was found."""

import pytest

from gcnet_caffe.cli import main
from tests.datasets.trees import picture

#: reader -> what its message must say it looked for
LOOKED_FOR = {
    "ck": "cohn-kanade-images",
    "mmi": "Sessions",
    "oulu": "OriginalImg/VL/Strong",
    "webface": "train.rec",
    "fer2013": "fer2013.csv",
    "rafdb": "EmoLabel/list_patition_label.txt",
    "sfew": "Val_Aligned_Faces",
    "pattern": "--pattern",
}


@pytest.fixture(params=sorted(LOOKED_FOR))
def refused(request, tmp_path, capsys):
    """A function: root -> (exit status, the one line on stderr, what was looked for)."""

    def run(root):
        out = tmp_path / "out/m.csv"
        command = ["make-manifest", request.param, "--root", str(root), "-o", str(out)]
        if request.param == "pattern":
            command += ["--pattern", r"(?P<subject>\d+)/x\.png"]
        status = main(command)
        error = capsys.readouterr().err
        assert error.startswith("gcnet make-manifest: error: ") and error.count("\n") == 1
        assert str(root) in error and not out.parent.exists()
        return status, error, LOOKED_FOR[request.param]

    return run


def test_missing(refused, tmp_path):
    status, error, _ = refused(tmp_path / "none")
    assert status == 2 and "no such" in error


def test_empty_folder(refused, tmp_path):
    (tmp_path / "data").mkdir()
    status, error, wanted = refused(tmp_path / "data")
    assert status == 1 and wanted in error
    assert "an empty folder" in error or "no file below it" in error


def test_another_tree(refused, tmp_path):
    picture(tmp_path / "data/holiday/beach.png")
    status, error, wanted = refused(tmp_path / "data")
    assert status == 1 and wanted in error
    assert "found holiday" in error or "no file below it" in error


def test_a_file_instead_of_a_folder(refused, tmp_path):
    (tmp_path / "picture.png").write_bytes(b"no picture")
    status, error, _ = refused(tmp_path / "picture.png")
    assert status in (1, 2) and ("found" in error or "no such" in error or "header" in error)


#: reader -> (files of a tree of which nothing can be used, what must be said of them)
USELESS = {
    "ck": (
        {"cohn-kanade-images/S005/001/S005_001_00000001.png": "", "Emotion/S005/001/none.txt": ""},
        "sequences without an Emotion label 1",
    ),
    "mmi": ({"Sessions/1/session.xml": "<s/>"}, "sessions without a video 1"),
    "oulu": ({"OriginalImg/VL/Strong/P001/Anger/000.jpeg": ""}, "sequences of one frame 1"),
    "webface": ({"CASIA-WebFace/0000045/list.txt": ""}, "identities without images 1"),
    "fer2013": (
        {"fer2013.csv": "emotion,pixels,Usage\n1,0 0 0 0,Training\n"},
        "of Training 1",
    ),
    "rafdb": (
        {"EmoLabel/list_patition_label.txt": "test_0001.jpg 5\ntrain_00001.jpg 5\n"},
        "listed, but no such image 1, not of test 1",
    ),
    "sfew": (
        {"sfew_2.0_labels.csv": "image_name,label,original_split\na.png,1,Train\n"},
        "not of Val 1",
    ),
}


@pytest.mark.parametrize("reader", USELESS)
def test_nothing_left_of_what_was_found(reader, tmp_path, capsys):
    files, found = USELESS[reader]
    for name, text in files.items():
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(text)
    out = tmp_path / "m.csv"
    command = ["make-manifest", reader, "--root", str(tmp_path / "data"), "-o", str(out)]
    assert main(command) == 1
    error = capsys.readouterr().err
    assert error.endswith(f"; found {found}\n") and error.count("\n") == 1
    assert not out.exists()


def test_a_binary_file_of_the_right_name(tmp_path, capsys):
    noise = bytes(range(256)) * 40
    (tmp_path / "EmoLabel").mkdir()
    (tmp_path / "Sessions/1").mkdir(parents=True)
    (tmp_path / "train.idx").write_text("0\t0\n")
    (tmp_path / "Sessions/1/S001-001.avi").write_bytes(noise)
    emotion = '<a><Metatag Name="Emotion" Value="1"/></a>'
    (tmp_path / "Sessions/1/S001-001.xml").write_text(emotion)
    for name, reader in (
        ("fer2013.csv", "fer2013"),
        ("sfew_2.0_labels.csv", "sfew"),
        ("EmoLabel/list_patition_label.txt", "rafdb"),
        ("train.rec", "webface"),
        ("Sessions/1/session.xml", "mmi"),
    ):
        (tmp_path / name).write_bytes(noise)
        command = ["make-manifest", reader, "--root", str(tmp_path), "-o", str(tmp_path / "m.csv")]
        assert main(command) == 1
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and name in error, error
        assert not (tmp_path / "m.csv").exists()
