import numpy as np
import pytest

from gcnet_caffe.datasets.manifest import COLUMNS, Row, read_manifest, write_manifest
from gcnet_caffe.errors import ManifestError
from tests.packing.drawn_faces import row, write_rows


def message(path):
    with pytest.raises(ManifestError) as caught:
        read_manifest(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_round_trip(tmp_path):
    points = np.arange(10.0).reshape(5, 2) + 0.25
    rows = [
        Row(str(tmp_path / "in" / "a.png"), "S1", "happy", str(tmp_path / "in" / "n.png")),
        Row("/elsewhere/ü b.png", "S2", sequence="q", rank=3, source="x,y", landmarks=points),
    ]
    write_manifest(tmp_path / "m.csv", rows)
    assert "\nin/a.png,S1,happy,in/n.png," in (tmp_path / "m.csv").read_text()
    first, second = read_manifest(tmp_path / "m.csv")
    assert (first.path, first.reference) == (rows[0].path, rows[0].reference)
    assert first.landmarks is None and first.rank is None and first.route == ""
    assert (second.path, second.rank, second.source) == ("/elsewhere/ü b.png", 3, "x,y")
    np.testing.assert_array_equal(second.landmarks, points)
    assert second.route == "manifest"


def test_paths_are_relative_to_the_manifest(tmp_path):
    path = write_rows(tmp_path / "m.csv", [row("a.png", "S1"), row("/b.png", "S1")])
    assert [r.path for r in read_manifest(path)] == [str(tmp_path / "a.png"), "/b.png"]


def test_a_spreadsheet_s_byte_order_mark_is_no_part_of_the_header(tmp_path):
    path = write_rows(tmp_path / "m.csv", [row("a.png", "S1")])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_manifest(path)) == 1


def test_missing_file(tmp_path):
    assert (
        message(tmp_path / "no.csv")
        == f"{tmp_path}/no.csv: No such file or directory; wanted a manifest"
    )


def test_missing_column(tmp_path):
    columns = [name for name in COLUMNS if name != "subject"]
    path = write_rows(tmp_path / "m.csv", [row("a.png", "S1")], columns)
    assert message(path).startswith(f"{path}: header: column 'subject' is missing; wanted path,")


def test_no_rows(tmp_path):
    assert "no rows" in message(write_rows(tmp_path / "m.csv", []))


def test_not_text(tmp_path):
    (tmp_path / "m.csv").write_bytes(b"\x89PNG\xff\xfe\x00")
    assert "not a CSV file" in message(tmp_path / "m.csv")


def test_short_and_long_rows(tmp_path):
    header = ",".join(COLUMNS)
    (tmp_path / "m.csv").write_text(f"{header}\na.png,S1\n")
    assert "row 1: column 'expression': missing" in message(tmp_path / "m.csv")
    (tmp_path / "m.csv").write_text(f"{header}\n{'a,' * 11}a\n")
    assert "row 1: more cells" in message(tmp_path / "m.csv")


@pytest.mark.parametrize(
    "column, value, found",
    [
        ("path", " ", "empty"),
        ("rank", "1.5", "'1.5' is not a whole number"),
        ("route", "magic", "'magic'; wanted one of file68"),
        ("landmarks", "1 2 3", "3 numbers; wanted 10"),
        ("landmarks", "1 2 3 4 5 6 7 8 9 x", "not 10 finite numbers"),
        ("reference_landmarks", "1 2 3 4 5 6 7 8 9 nan", "not 10 finite numbers"),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column(tmp_path, column, value, found):
    rows = [row("a.png", "S1"), row("b.png", "S1", **{})]
    rows[1][column] = value
    path = write_rows(tmp_path / "m.csv", rows)
    assert message(path).startswith(f"{path}: row 2: column {column!r}: ")
    assert found in message(path)


def test_duplicate_rows(tmp_path):
    rows = [row("a.png", "S1"), row("b.png", "S1"), row("./a.png", "S2")]
    path = write_rows(tmp_path / "m.csv", rows)
    text = message(path)
    assert text.startswith(f"{path}: row 3: column 'path': ") and text.endswith("in row 1 already")


@pytest.mark.parametrize("column", ["rank", "route", "landmarks"])
def test_a_long_value_is_shown_short(tmp_path, column):
    words = "\1" * 8000 if column != "landmarks" else " ".join(["x" * 800] * 10)
    path = write_rows(tmp_path / "m.csv", [{**row("a.png", "S1"), column: words}])
    found = message(path)
    assert f"row 1: column {column!r}: '" in found
    assert len(found) < len(str(path)) + 200
