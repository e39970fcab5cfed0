"""Synthetic faces: what the action units do to the landmarks, and where the landmarks are drawn."""

import dataclasses

import numpy as np
import pytest

from gcnet_caffe.rendering import canvas, relief, scene
from gcnet_caffe.rendering.actions import EXPRESSIONS, ONE_SIDED, UNITS, displacement, strengths
from gcnet_caffe.rendering.geometry import face_points, neutral_points
from gcnet_caffe.rendering.points import MIRROR
from gcnet_caffe.rendering.subject import draw_subject

SUBJECTS = [draw_subject(np.random.default_rng([7, number])) for number in range(12)]
DAYLIGHT = scene.Setting(
    light=np.array([0.0, -0.3, 0.95]),
    ambient=0.6,
    exposure=1.0,
    gamma=1.2,
    background=0.5,
    slope=(0.0, 0.0),
    clothes=0.3,
    blur=0.0,
    noise=0.0,
)
SIZE = (240, 240)


def _acted(subject, expression, variant):
    """Landmarks of the neutral face, and of the expression at its usual strength."""
    felt = strengths(EXPRESSIONS[expression][variant])
    nothing = np.zeros(len(UNITS))
    return face_points(subject, nothing, nothing)[0], face_points(subject, felt, felt)[0]


def _cases(expression):
    for subject in SUBJECTS:
        for variant in range(len(EXPRESSIONS[expression])):
            yield _acted(subject, expression, variant)


def _rise(before, after, points):
    """How far the points rose on the picture, face units."""
    return (before[points, 1] - after[points, 1]).mean()


def test_happy_raises_and_widens_the_mouth_corners():
    for before, after in _cases("happy"):
        assert _rise(before, after, [48]) > 0.05 and _rise(before, after, [54]) > 0.05
        assert after[54, 0] - after[48, 0] > before[54, 0] - before[48, 0] + 0.1


def test_sad_lowers_the_mouth_corners_and_raises_the_inner_brows():
    for before, after in _cases("sad"):
        assert _rise(before, after, [48, 54]) < -0.05
        assert _rise(before, after, [21, 22]) > 0.02
        assert _rise(before, after, [21, 22]) > _rise(before, after, [17, 26])


def test_surprise_drops_the_jaw_opens_the_mouth_and_raises_the_brows():
    for before, after in _cases("surprise"):
        assert _rise(before, after, [7, 8, 9]) < -0.1
        assert _rise(before, after, [17, 18, 19, 20, 21]) > 0.1
        assert after[66, 1] - after[62, 1] > before[66, 1] - before[62, 1] + 0.15


def test_anger_lowers_the_brows_and_draws_them_together():
    for before, after in _cases("anger"):
        assert _rise(before, after, [20, 21, 22, 23]) < -0.08
        assert after[22, 0] - after[21, 0] < before[22, 0] - before[21, 0] - 0.08


def test_fear_raises_the_brows_and_the_upper_lids_and_stretches_the_mouth():
    for before, after in _cases("fear"):
        assert _rise(before, after, [21, 22]) > 0.02
        assert _rise(before, after, [37, 38, 43, 44]) > 0.02
        assert after[54, 0] - after[48, 0] > before[54, 0] - before[48, 0] + 0.08


def test_disgust_raises_the_nose_wings():
    for before, after in _cases("disgust"):
        assert _rise(before, after, [31, 35]) > 0.05


def test_contempt_is_the_one_expression_of_one_side():
    assert ONE_SIDED == {"contempt"}
    felt, nothing = strengths(EXPRESSIONS["contempt"][0]), np.zeros(len(UNITS))
    for subject in SUBJECTS:
        before, _ = face_points(subject, nothing, nothing)
        after, _ = face_points(subject, felt, nothing)
        assert after[48, 0] < before[48, 0] - 0.05  # the right corner moves outwards
        np.testing.assert_allclose(after[54], before[54])


def test_the_neutral_points_are_symmetric():
    for subject in SUBJECTS:
        points = neutral_points(subject.shape)
        np.testing.assert_allclose(points[MIRROR] * (-1, 1), points, atol=1e-12)


def test_both_sides_together_are_the_two_sides_apart():
    right, left = np.eye(len(UNITS)), np.zeros((len(UNITS), len(UNITS)))
    for row, other in zip(right, left):
        points = [displacement(row, other), displacement(other, row), displacement(row, row)]
        np.testing.assert_allclose(points[0][MIRROR] * (-1, 1), points[1], atol=1e-12)
        np.testing.assert_allclose(points[0] + points[1], points[2], atol=1e-12)


def test_lids_and_lips_never_cross():
    rng = np.random.default_rng(0)
    for subject in SUBJECTS:
        points, _ = face_points(subject, *rng.uniform(0, 1.5, (2, len(UNITS))))
        for upper, lower in [(37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)]:
            assert points[upper, 1] < points[lower, 1]


def test_resting_faces_look_like_expressions():
    """Among subjects at rest, mouth corners hang and brows frown to differing degrees."""
    nothing = np.zeros(len(UNITS))
    subjects = [draw_subject(np.random.default_rng([8, number])) for number in range(60)]
    shifts = np.stack(
        [face_points(s, nothing, nothing)[0] - neutral_points(s.shape) for s in subjects]
    )
    for landmark in (48, 54, 21, 22):
        assert np.ptp(shifts[:, landmark, 1]) > 0.1


@pytest.mark.parametrize(
    "pose",
    [
        scene.Pose(),
        scene.Pose(yaw=0.18, pitch=-0.14, roll=0.12, scale=1.1, shift=(0.1, -0.1)),
        scene.Pose(yaw=-0.35, pitch=0.25, roll=-0.15, scale=0.9, shift=(-0.2, 0.1)),
        scene.Pose(yaw=0.45, pitch=-0.3),
    ],
)
def test_the_camera_shows_a_point_of_the_face_where_it_projects_it(pose):
    """A white dot painted at a landmark is seen at the landmark's pixel."""
    subject = SUBJECTS[0]
    nothing = np.zeros(len(UNITS))
    points, shown = face_points(subject, nothing, nothing)
    depth = relief.depth_map(subject.shape, points, lambda unit: shown[:, UNITS.index(unit)])
    camera = scene.Camera(pose, SIZE)
    expected = camera.project(points, relief.sample(depth, points))
    for landmark in (8, 19, 24, 30, 36, 39, 42, 45, 48, 54, 57):
        dotted = canvas.Canvas()
        dotted.fill(canvas.ellipse(points[landmark], 0.06), 1.0)
        seen, _ = camera.look(dotted, depth)
        rows, columns = np.indices(seen.shape)
        centre = np.array([(columns * seen).sum(), (rows * seen).sum()]) / seen.sum()
        assert np.linalg.norm(centre - expected[landmark]) < 0.6, landmark


@pytest.mark.parametrize("size", [(64, 64), (240, 240), (320, 200)])
@pytest.mark.parametrize("shift", [(-2.5, 0), (2.5, 0), (0, -2.5), (0, 2.5)])
def test_the_camera_keeps_the_face_inside_the_picture(size, shift):
    surprised = strengths(EXPRESSIONS["surprise"][1])
    pose = scene.Pose(yaw=0.3, pitch=0.25, roll=0.2, scale=1.1, shift=shift)
    rng = np.random.default_rng(0)
    _, points = scene.render(SUBJECTS[1], surprised, surprised, pose, DAYLIGHT, size, rng)
    assert (points >= 0).all() and (points <= np.array(size) - 1).all()


def _bright(image, point):
    x, y = np.round(point).astype(int)
    return image[y - 1 : y + 2, x - 1 : x + 2].mean()


@pytest.mark.parametrize("subject", SUBJECTS[:6])
def test_landmarks_lie_on_the_drawn_features(subject):
    """Lip line, nostrils, pupils are darker than the skin beside them, under turned heads too."""
    bare = {"glasses": "", "beard": False, "moustache": False, "stubble": 0.0, "fringe": 0.0}
    subject = dataclasses.replace(subject, looks={**subject.looks, **bare})
    nothing = np.zeros(len(UNITS))
    pose = scene.Pose(yaw=0.12, pitch=0.05, roll=0.1)
    rng = np.random.default_rng(0)
    image, points = scene.render(subject, nothing, nothing, pose, DAYLIGHT, SIZE, rng)
    assert (points > 0).all() and (points < np.array(SIZE) - 1).all()
    eyes = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    face = np.linalg.norm(eyes[1] - eyes[0]) / 2  # pixels per face unit
    across = (eyes[1] - eyes[0]) / (2 * face)
    down = np.array([-across[1], across[0]])
    cheeks = [_bright(image, eye + 0.75 * face * down) for eye in eyes]
    for corner in (48, 54):
        inside = points[corner] + 0.12 * face * across * (1 if corner == 48 else -1)
        outside = points[corner] - 0.25 * face * across * (1 if corner == 48 else -1)
        assert _bright(image, inside) < 0.9 * _bright(image, outside)
    assert _bright(image, points[[62, 66]].mean(axis=0)) < 0.8 * min(cheeks)
    assert _bright(image, points[[31, 32, 32]].mean(axis=0)) < 0.8 * cheeks[0]
    assert _bright(image, points[[35, 34, 34]].mean(axis=0)) < 0.8 * cheeks[1]
    for eye, cheek in zip(eyes, cheeks):
        assert _bright(image, eye) < 0.7 * cheek
