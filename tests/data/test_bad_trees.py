"""Bad trees, for every reader: one line that says what was looked for and what was found."""

import pytest

from gcnet_caffe.cli import main
from tests.data.trees import picture

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
