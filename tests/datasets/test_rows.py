"""Rows in a temporary file are the rows of a list."""

import subprocess
import sys

import numpy as np
import pytest

from gcnet_caffe.datasets.manifest import Row, read_manifest, write_manifest
from gcnet_caffe.datasets.rows import Rows
from gcnet_caffe.errors import ManifestError

POINTS = np.arange(10.0).reshape(5, 2)
LISTED = [
    Row("a.png", "S1", "happy", "n.png", "S1_1", 3, "CK+", POINTS, POINTS + 0.1, "file68"),
    Row("é#b.png", "S2"),
]


def test_each_row_is_as_it_was():
    rows = Rows(iter(LISTED))
    assert len(rows) == 2
    for found, wanted in zip(rows, LISTED):
        assert found._replace(landmarks=None, reference_landmarks=None) == wanted._replace(
            landmarks=None, reference_landmarks=None
        )
    np.testing.assert_array_equal(rows[0].landmarks, POINTS)
    np.testing.assert_array_equal(rows[np.int64(0)].reference_landmarks, POINTS + 0.1)
    assert rows[-1].path == "é#b.png" and rows[-1].landmarks is None
    with pytest.raises(IndexError):
        rows[2]
    assert len(Rows([])) == 0


def test_a_manifest_is_read_into_them(tmp_path):
    write_manifest(tmp_path / "m.csv", LISTED)
    rows = read_manifest(tmp_path / "m.csv", Rows)
    assert [row.path for row in rows] == [row.path for row in read_manifest(tmp_path / "m.csv")]


def test_a_row_given_twice_is_found_among_them(tmp_path):
    write_manifest(tmp_path / "m.csv", [Row(str(tmp_path / "a.png"), "S1"), LISTED[1]])
    with open(tmp_path / "m.csv", "a", encoding="utf-8") as file:
        file.write("./a.png,S1,,,,,,,,\n")
    with pytest.raises(ManifestError, match=r"row 3: column 'path': .*a\.png is in row 1 already"):
        read_manifest(tmp_path / "m.csv", Rows)


def test_a_full_disk_is_one_line():
    code = """if True:
        import resource
        from gcnet_caffe.datasets.manifest import Row
        from gcnet_caffe.datasets.rows import Rows
        from gcnet_caffe.errors import ManifestError
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        try:
            Rows([Row("a.png", "S1")] * 50)
        except ManifestError as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot keep the rows of the manifest here" in done.stdout
