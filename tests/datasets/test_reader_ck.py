"""The CK+ reader on a miniature of the real tree, with its traps."""

import cv2
import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.datasets.manifest import Row, read_manifest
from gcnet_caffe.datasets.readers import ck
from gcnet_caffe.errors import ManifestError, UsageError
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.faces.landmarks import five_from_68
from tests.datasets.trees import plain, plain_points
from tests.packing.drawn_faces import drawn_face

#: subject/sequence -> number of frames, label
SEQUENCES = {
    "S005/001": (5, 3),
    "S010/002": (4, 7),
    "S010/004": (2, 5),
    "S010/006": (4, None),
    "S011/001": (1, 1),
    "S022/005": (0, 6),
    "S130/001": (4, 2),
    "S132/003": (3, 0),
}
#: What finders and archives of Macs leave behind.
DS_STORE, FORK = b"\0\0\0\1Bud1", b"\0\5\26\7"


def points68(shift):
    return np.random.default_rng(0).uniform(30, 90, (68, 2)).round(3) + shift


def build(root, images="cohn-kanade-images", emotion="Emotion", landmarks="Landmarks"):
    """The official tree under the given names; `landmarks` None leaves that folder out."""
    folders = [root / top for top in (images, emotion, landmarks, "FACS") if top]
    for name, (frames, label) in SEQUENCES.items():
        for folder in folders:
            (folder / name).mkdir(parents=True)
            (folder / name / ".DS_Store").write_bytes(DS_STORE)
            (folder / name).with_name(".DS_Store").write_bytes(DS_STORE)
        stem = name.replace("/", "_")
        for i in range(frames):
            frame = f"{stem}_{i + 1:08d}"
            face = drawn_face(shade=120 + 5 * i)
            if name == "S130/001":  # one of the RGB sequences
                face = cv2.cvtColor(face, cv2.COLOR_GRAY2BGR)
            cv2.imwrite(str(root / images / name / f"{frame}.png"), face)
            (root / images / name / f"._{frame}.png").write_bytes(FORK)
            if landmarks:
                text = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points68(i))
                (root / landmarks / name / f"{frame}_landmarks.txt").write_text(text)
        if label is not None:
            last = f"{stem}_{frames:08d}"
            (root / emotion / name / f"{last}_emotion.txt").write_text(f"   {label:.7e}\n")
            (root / emotion / name / f"._{last}_emotion.txt").write_bytes(FORK)
            units = "   1.0000000e+00   0.0000000e+00\n"
            (root / "FACS" / name / f"{last}_facs.txt").write_text(units)
    for folder in folders:
        (folder / ".DS_Store").write_bytes(DS_STORE)
    return root


def by_sequence(rows, sequence):
    return [row for row in rows if row.sequence == sequence]


IMAGES = (
    "cohn-kanade-images",
    "extended-cohn-kanade-images/cohn-kanade-images",
    "Cohn-Kanade Images",
)
EMOTION = ("Emotion", "Emotion_labels", "Emotion_labels/Emotion")


@pytest.mark.parametrize("landmarks", ["Landmarks", "Landmarks/Landmarks", None])
@pytest.mark.parametrize("top", ["", "CK+/"])
@pytest.mark.parametrize("emotion", EMOTION)
@pytest.mark.parametrize("images", IMAGES)
def test_every_row_of_every_variant(tmp_path, images, emotion, top, landmarks):
    images = f"{top}{images}"
    build(tmp_path, images, f"{top}{emotion}", landmarks and f"{top}{landmarks}")
    rows, survey = ck.read(tmp_path)
    assert plain(rows, tmp_path) == [
        Row(
            path=f"{images}/{sequence.replace('_', '/')}/{sequence}_{rank + 1:08d}.png",
            subject=sequence[:4],
            expression=expression if rank else "neutral",
            reference=f"{images}/{sequence.replace('_', '/')}/{sequence}_00000001.png",
            sequence=sequence,
            rank=rank,
            source="CK+",
            landmarks=plain_points(five_from_68(points68(rank))) if landmarks else None,
            reference_landmarks=plain_points(five_from_68(points68(0))) if landmarks else None,
            route="file68" if landmarks else "",
        )
        for sequence, expression, ranks in (
            ("S005_001", "disgust", (0, 2, 3, 4)),
            ("S010_002", "surprise", (0, 1, 2, 3)),
            ("S010_004", "happy", (0, 1)),
            ("S130_001", "contempt", (0, 1, 2, 3)),
        )
        for rank in ranks
    ]
    assert survey.where == tmp_path / images


def test_repackagings_beside_the_official_folders_do_no_harm(tmp_path):
    build(tmp_path)
    (tmp_path / "CK+48/anger").mkdir(parents=True)
    (tmp_path / "ckextended.csv").write_text("emotion,pixels,Usage\n")
    assert len(ck.read(tmp_path)[0]) == 14


def test_a_short_sequence_never_takes_its_first_frame_for_a_query(tmp_path):
    rows, _ = ck.read(build(tmp_path))
    found = by_sequence(rows, "S010_004")
    assert [(row.expression, row.rank) for row in found] == [("neutral", 0), ("happy", 1)]


def test_the_seven_labels_are_ck_s_own():
    assert ck.EMOTIONS == (
        "neutral",
        "anger",
        "contempt",
        "disgust",
        "fear",
        "happy",
        "sad",
        "surprise",
    )


def test_what_was_found_and_skipped(tmp_path):
    rows, survey = ck.read(build(tmp_path))
    assert dict(survey.skipped) == {
        "sequences without an Emotion label": 1,
        "sequences of one frame": 1,
        "sequences without frames": 1,
        "sequences labelled neutral": 1,
    }
    text = survey.text(rows)
    assert "sequences on disk: 7 (published: 593)" in text
    assert "subjects on disk: 5 (published: 123)" in text
    assert "labelled sequences: 4 (published: 327)" in text
    assert "labelled subjects: 3 (published: 118)" in text
    assert "images: 14 (contempt 3, disgust 3, happy 1, neutral 4, surprise 3)" in text


def test_frames_and_no_neutral_queries(tmp_path):
    rows, _ = ck.read(build(tmp_path), frames=1, neutral_queries=False)
    assert [(row.sequence, row.rank) for row in rows] == [
        ("S005_001", 4),
        ("S010_002", 3),
        ("S010_004", 1),
        ("S130_001", 3),
    ]


def test_rgb_frames_read_as_grey(tmp_path):
    rows, _ = ck.read(build(tmp_path))
    assert read_grey(by_sequence(rows, "S130_001")[0].path).shape == (120, 160)


def test_no_such_folder(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        ck.read(tmp_path / "none")


def test_another_tree_is_told_what_was_looked_for(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(
        ManifestError, match="no CK. images .*looked for cohn-kanade-images, .*found pictures"
    ):
        ck.read(tmp_path)


def test_no_labels(tmp_path):
    (build(tmp_path) / "Emotion").rename(tmp_path / "elsewhere")
    with pytest.raises(ManifestError, match="no CK. Emotion labels"):
        ck.read(tmp_path)


@pytest.mark.parametrize("text", ["", "nine", "9.0000000e+00", "1.5"])
def test_a_wrong_label_is_named(tmp_path, text):
    path = build(tmp_path) / "Emotion/S005/001/S005_001_00000005_emotion.txt"
    path.write_text(text)
    with pytest.raises(ManifestError, match=f"{path}: .* wanted one number from 0 to 7"):
        ck.read(tmp_path)


@pytest.mark.parametrize("text", ["1 2\n" * 67, "1 2\n" * 67 + "1 x\n", "1 2\n" * 67 + "1 nan\n"])
def test_wrong_landmarks_are_named(tmp_path, text):
    path = build(tmp_path) / "Landmarks/S005/001/S005_001_00000003_landmarks.txt"
    path.write_text(text)
    with pytest.raises(ManifestError, match=f"{path}: wanted 68 lines"):
        ck.read(tmp_path)


def test_command_line(tmp_path, capsys):
    build(tmp_path / "CK+")
    out = tmp_path / "ck.csv"
    assert main(["make-manifest", "ck", "--root", f"{tmp_path}/CK+", "-o", f"{out}"]) == 0
    assert f"{out}: 14 rows" in capsys.readouterr().out
    rows = read_manifest(out)
    assert len(rows) == 14
    np.testing.assert_allclose(rows[3].landmarks, five_from_68(points68(4)), rtol=1e-6)


def test_command_line_without_a_data_set(tmp_path, capsys):
    out = tmp_path / "ck.csv"
    assert main(["make-manifest", "ck", "--root", f"{tmp_path}", "-o", f"{out}"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("gcnet make-manifest: error: ") and error.count("\n") == 1
    assert not out.exists()


def test_repackagings_that_cannot_serve_are_refused(tmp_path):
    (tmp_path / "CK+48/anger").mkdir(parents=True)
    with pytest.raises(ManifestError, match=r"CK\+48: the last frames only .* no reference images"):
        ck.read(tmp_path)
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv/ckextended.csv").write_text("emotion,pixels,Usage\n")
    for root in (tmp_path / "csv", tmp_path / "csv/ckextended.csv"):
        with pytest.raises(ManifestError, match="CK. as a csv has no subject ids"):
            ck.read(root)
