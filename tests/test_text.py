"""Text files of users, whatever saved them; and names with a NUL character, wherever they stand."""

import pytest

from gcnet_caffe import cli, files, text
from gcnet_caffe.datasets.folds import read_fold_table
from gcnet_caffe.datasets.manifest import Row, read_manifest, write_manifest
from gcnet_caffe.datasets.readers.mmi import _peaks
from gcnet_caffe.errors import GcnetError, ImageError, ManifestError, SchemaError, UsageError
from gcnet_caffe.experiment.config import read_experiment
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.formats import read_net, read_solver, read_weights
from gcnet_caffe.formats.log import read_log
from gcnet_caffe.recognition.find_model import open_model
from tests.engine.small import write_small

SHEET = "subject,fold\nS1,0\nSé,1\n"
YAML = "# é\ntitle: é\ndata: {reader: ck, root: /data/CK+}\nprotocol: ck7\n"


def read_folds(path):
    return read_fold_table(path, ["S1", "Sé"])


@pytest.mark.parametrize(
    "read, written", [(read_folds, SHEET), (lambda path: read_experiment(path)["title"], YAML)]
)
def test_text_of_users(read, written, tmp_path):
    path = tmp_path / "file"

    def message_of(data):
        path.write_bytes(data)
        with pytest.raises(GcnetError) as error:
            read(path)
        return str(error.value)

    path.write_text(written, encoding="utf-8")
    plain = read(path)
    for data in (written.encode("utf-8-sig"), written.replace("\n", "\r\n").encode()):
        path.write_bytes(data)
        assert read(path) == plain
    for name in ("utf-16", "utf-16-le", "utf-16-be"):
        assert message_of(written.encode(name)) == f"{path}: saved as UTF-16; save it as UTF-8"
    assert message_of(written.encode("utf-32")).endswith("saved as UTF-32; save it as UTF-8")
    line = 1 if written is YAML else 3
    assert f": line {line}: byte 0xE9 is not UTF-8" in message_of(written.encode("latin-1"))
    assert "NUL (U+0000); wanted " in message_of(written.replace("S1", "S\0").encode() + b"\0")


def test_a_row_with_nul_is_named(tmp_path):
    write_manifest(tmp_path / "m.csv", [Row("a.png", "S1", "happy"), Row("b.png", "S1", "sad")])
    whole = (tmp_path / "m.csv").read_text()
    for path, row in (("b.png", "row 2"), ("a.png", "row 1"), ("subject", "header")):
        (tmp_path / "m.csv").write_text(whole.replace(path, f"{path}\0"))
        with pytest.raises(ManifestError, match=rf"m.csv: {row}: contains NUL \(U\+0000\); wanted"):
            read_manifest(tmp_path / "m.csv")
    (tmp_path / "peaks.csv").write_text("session,apex\n1\0,2\n")
    with pytest.raises(ManifestError, match=r"peaks.csv: row 1: contains NUL"):
        _peaks(tmp_path / "peaks.csv", tmp_path)


def test_a_character_that_looks_like_another_is_named(tmp_path):
    header = "path,subject,expression".replace("subject", "subject\u200b")
    (tmp_path / "m.csv").write_text(f"{header}\na,b,c\n", encoding="utf-8")
    with pytest.raises(ManifestError, match=r"'subject' is missing.*ZERO WIDTH SPACE \(U\+200B\)"):
        read_manifest(tmp_path / "m.csv")
    for written, name in (
        (YAML.replace("title:", "title："), "line 2 contains FULLWIDTH COLON (U+FF1A)"),
        ("protocol:\u00a0ck7\n", "line 1 contains NO-BREAK SPACE (U+00A0)"),
        ("# “\ndata: [“a]\n{\n", "line 2 contains LEFT DOUBLE QUOTATION MARK (U+201C)"),
    ):
        (tmp_path / "e.yaml").write_text(written, encoding="utf-8")
        with pytest.raises(UsageError) as error:
            read_experiment(tmp_path / "e.yaml")
        assert str(error.value).endswith(f"({name})")
    assert text.odd_character("名前: 表情 é ß α\n# ：\n") == ""


@pytest.mark.parametrize(
    "line, message",
    [
        (r'data: {reader: ck, root: "/data/a\0b"}', r"data.root: '/data/a\x00b' contains NUL"),
        (
            r'data: [{manifest: a}, {reader: ck, root: "/\x00"}]',
            r"data.1.root: '/\x00' contains NUL",
        ),
        (r'data: {reader: ck, options: {a: "\0"}}', r"data.options.a: '\x00' contains NUL"),
        (r'data: {reader: ck, options: {"\0": 1}}', r"data.options: '\x00' contains NUL"),
        ('data: {}\n"ti\\0tle": x', r"unknown key ti\x00tle; did you mean title?"),
    ],
)
def test_a_key_with_nul_is_named(line, message, tmp_path):
    (tmp_path / "e.yaml").write_text(f"protocol: ck7\n{line}\n")
    with pytest.raises(UsageError) as error:
        read_experiment(tmp_path / "e.yaml")
    assert f"e.yaml: {message}" in str(error.value) and "\0" not in str(error.value)
    (tmp_path / "e.yaml").write_text("protocol: ck7\ndata: {reader: ck, root: /a}\n")
    with pytest.raises(UsageError, match=r"data.root: '/a\\x00' contains NUL \(U\+0000\)"):
        read_experiment(tmp_path / "e.yaml", [r'data.root="/a\0"'])


@pytest.mark.parametrize(
    "words, said",
    [
        (["train", "-solver", "a\0b"], r"gcnet train: error: 'a\x00b' contains NUL (U+0000)"),
        (["train", "-weights=\0"], r"gcnet train: error: '-weights=\x00' contains NUL (U+0000)"),
        (["predict", "a\0b"], r"gcnet predict: error: 'a\x00b' contains NUL (U+0000)"),
    ],
)
def test_a_word_with_nul_is_named(words, said, capsys):
    assert cli.main(words) == 2
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    "call, error",
    [
        (read_net, SchemaError),
        (read_solver, SchemaError),
        (read_weights, SchemaError),
        (open_model, UsageError),
        (read_grey, ImageError),
        (read_manifest, ManifestError),
        (read_folds, ManifestError),
        (read_log, GcnetError),
        (read_experiment, UsageError),
        (lambda path: files.write_text(path, "x"), UsageError),
    ],
)
def test_a_path_with_nul_from_python_is_named(call, error):
    with pytest.raises(error, match=r"^'a\\x00b' contains NUL \(U\+0000\), which a file"):
        call("a\0b")


def test_a_net_with_a_comment_in_gbk_trains(tmp_path, monkeypatch):
    write_small(tmp_path)
    for name in ("net.prototxt", "solver.prototxt"):
        comment = "# 全连接\n".encode("gbk")
        (tmp_path / name).write_bytes(comment + (tmp_path / name).read_bytes() + comment)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["train", "-solver", "solver.prototxt"]) == 0
    assert cli.main(["check", "solver.prototxt"]) == 0
