import cv2
import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.errors import ImageError, UsageError
from gcnet_caffe.faces.augment import draw, face_crop
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.packing.contact_sheet import write_contact_sheet, write_expression_sheet
from tests.packing.drawn_faces import POINTS, pair_manifest, row, write_rows


def shows(sheet, crop):
    """Whether the crop, twice enlarged, is somewhere on the sheet, pixel for pixel."""
    large = cv2.resize(crop, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    return cv2.matchTemplate(sheet, large, cv2.TM_SQDIFF).min() < 1


def test_it_shows_the_faces_as_they_are_packed(tmp_path):
    manifest = pair_manifest(tmp_path, subjects=2)
    out = str(tmp_path / "sheet.png")
    command = ["make-lmdb", "sheet", str(manifest), "-o", out, "--seed", "4"]
    assert main([*command, "--rows", "6", "--copies", "3"]) == 0
    sheet = cv2.imread(out, cv2.IMREAD_GRAYSCALE)
    face, reference = read_grey(tmp_path / "S1_sad.png"), read_grey(tmp_path / "S1_neutral.png")
    for copy in range(3):
        assert shows(sheet, face_crop(face, POINTS, draw(4, 2, copy)))
        assert shows(sheet, face_crop(reference, POINTS, draw(4, 2, copy)))
    assert not shows(sheet, face_crop(face, POINTS, draw(4, 2, 3)))
    assert main([*command, "--rows", "6", "--copies", "3", "--photometric"]) == 0
    varied, lit = cv2.imread(out, cv2.IMREAD_GRAYSCALE), draw(4, 2, 2, photometric=True)
    assert shows(varied, face_crop(face, POINTS, lit, 0)) and not shows(
        sheet, face_crop(face, POINTS, lit)
    )
    assert shows(varied, face_crop(reference, POINTS, lit, 1))
    colours = cv2.imread(out).astype(int)
    assert (np.ptp(colours, axis=2) > 100).sum() > 6 * 2 * 5  # the landmarks, in green


def test_by_expression_each_subject_has_a_line(tmp_path):
    """A photograph stands where its subject and expression say; the last one of several."""
    faces = {
        ("S1", "happy"): 100,
        ("S1", "sad"): 120,
        ("S2", "sad"): 140,
    }
    rows = []
    for number, ((subject, expression), shade) in enumerate(faces.items()):
        for earlier in (40, 0):
            name = f"{number}-{earlier}.png"
            cv2.imwrite(str(tmp_path / name), np.full((50, 50), shade - earlier, np.uint8))
            rows.append(row(name, subject, expression))
    write_rows(tmp_path / "m.csv", rows)
    out = str(tmp_path / "sheet.png")
    command = ["make-lmdb", "sheet", str(tmp_path / "m.csv"), "--by-expression", "-o", out]
    assert main(command) == 0
    sheet = cv2.imread(out, cv2.IMREAD_GRAYSCALE)[24:, 110:]
    assert sheet.shape == (2 * 138, 2 * 138)
    middles = sheet[66::138, 66::138]
    assert middles.tolist() == [[100, 120], [255, 140]]
    assert main([*command, "--rows", "1"]) == 0
    assert cv2.imread(out).shape[0] == 24 + 138


def test_it_refuses_other_formats(tmp_path):
    with pytest.raises(UsageError, match="wanted a name that ends in .png or .jpg"):
        write_contact_sheet(pair_manifest(tmp_path), tmp_path / "sheet.txt")
    with pytest.raises(UsageError, match="--rows 0"):
        write_contact_sheet(pair_manifest(tmp_path), tmp_path / "sheet.png", rows=0)
    with pytest.raises(UsageError, match="--rows 0"):
        write_expression_sheet(pair_manifest(tmp_path), tmp_path / "sheet.png", rows=0)


def test_a_missing_image_is_named(tmp_path):
    manifest = pair_manifest(tmp_path, subjects=1)
    (tmp_path / "S1_sad.png").unlink()
    with pytest.raises(ImageError, match="row 3: .*S1_sad.png: No such file or directory"):
        write_contact_sheet(manifest, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
