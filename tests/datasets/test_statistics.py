"""Counting and drawing a manifest."""

import cv2
import numpy as np
import pytest

from gcnet_caffe.cli import main
from tests.packing.drawn_faces import drawn_face, row, write_rows


@pytest.fixture
def manifest(tmp_path):
    rows = []
    for i in range(12):
        neutral = f"S{i}_n.png"
        for name, expression in (("n", "neutral"), ("h", "happy")):
            rows.append(row(f"S{i}_{name}.png", f"S{i}", expression, neutral, route="manifest"))
            cv2.imwrite(str(tmp_path / rows[-1]["path"]), drawn_face())
    rows[3].update(landmarks="", reference_landmarks="", route="")
    (tmp_path / "S5_h.png").write_bytes(b"")
    return write_rows(tmp_path / "m.csv", rows)


def test_counts(manifest, capsys):
    assert main(["describe", str(manifest), "--folds", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line in (
        "images: 24",
        "subjects: 12",
        "expressions: neutral 12, happy 12",
        "reference: the image itself 12, another image 12",
        "landmarks: manifest 23, to be detected 1",
        "sizes of 24 images: 160x120 23",
        "   0         3            3        3",
        "   4         2            2        2",
    ):
        assert line in lines
    assert any("S5_h.png: empty; wanted an image" in line for line in lines)


@pytest.mark.parametrize("folds", ["1", "0", "-3"])
def test_fewer_than_two_folds_are_misuse(folds, manifest, capsys):
    assert main(["describe", str(manifest), "--folds", folds]) == 2
    shown = capsys.readouterr()
    assert f"--folds {folds}: wanted at least 2" in shown.err and not shown.out


def test_a_fold_sheet_is_checked_and_shown(manifest, capsys):
    sheet = manifest.parent / "folds.csv"
    sheet.write_text("subject,fold\n" + "".join(f"S{i},{i % 2}\n" for i in range(12)))
    assert main(["describe", str(manifest), "--fold-table", str(sheet)]) == 0
    assert "   1         6            6        6" in capsys.readouterr().out.splitlines()
    sheet.write_text(sheet.read_text() + "S3,0\n")
    assert main(["describe", str(manifest), "--fold-table", str(sheet)]) == 1
    assert "subject S3 is in the folds 1 and 0" in capsys.readouterr().err


def test_picture(manifest):
    pytest.importorskip("matplotlib")
    out = manifest.parent / "m.png"
    assert main(["describe", str(manifest), "-o", str(out), "--folds", "3"]) == 0
    picture = cv2.imread(str(out))
    assert picture.shape == (700, 1100, 3) and np.ptp(picture) == 255
    assert main(["describe", str(manifest), "-o", str(out.with_suffix(".txt"))]) == 2


def test_without_subjects(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), drawn_face())
    manifest = write_rows(tmp_path / "m.csv", [row("a.png", "", "happy")])
    assert main(["describe", str(manifest)]) == 0
    assert "no folds by subject: rows without a subject" in capsys.readouterr().out
    out = tmp_path / "folds/ck7.csv"
    assert main(["make-folds", str(manifest), "-o", str(out)]) == 1
    assert "has no subject ids" in capsys.readouterr().err and not out.parent.exists()
