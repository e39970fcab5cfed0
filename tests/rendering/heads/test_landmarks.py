"""The landmarks lie on what is seen: features are found as what a change of looks alters."""

import numpy as np
import pytest

from gcnet_caffe.rendering.heads.landmarks import _MIRRORED, landmark_vertices
from gcnet_caffe.rendering.heads.model import head
from gcnet_caffe.rendering.heads.picture import Pose
from tests.rendering.heads.scenes import person, rendered

PEOPLE = range(4)
POSES = (Pose(0.0, 0.0, 0.0), Pose(0.2, -0.1, 0.08))


def altered(seed, pose, **looks):
    """Where two looks of a person differ, (k, 2) x and y; and the landmarks of the first."""
    (name, (one, other)) = next(iter(looks.items()))
    image, points = rendered(person(seed, **{name: one}), pose=pose)
    change = np.abs(rendered(person(seed, **{name: other}), pose=pose)[0] - image)
    rows, columns = np.nonzero(change > 0.3 * change.max())
    return np.stack([columns, rows], 1), points


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("seed", PEOPLE)
def test_the_middle_of_an_eyes_landmarks_is_on_its_iris(seed, pose):
    places, points = altered(seed, pose, iris=(0.03, 0.9))
    for eye in (slice(36, 42), slice(42, 48)):
        wide = np.ptp(points[eye, 0])
        middle = points[eye].mean(0)
        near = places[np.linalg.norm(places - middle, axis=1) < wide]
        assert np.linalg.norm(near.mean(0) - middle) < 0.15 * wide


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("seed", PEOPLE)
def test_the_mouths_landmarks_are_the_ends_of_the_lips(seed, pose):
    places, points = altered(seed, pose, lips=(0.98, 0.3))
    wide = np.linalg.norm(points[54] - points[48])
    for landmark, place in (
        (48, places[places[:, 0].argmin()]),
        (54, places[places[:, 0].argmax()]),
    ):
        assert np.linalg.norm(points[landmark] - place) < 0.12 * wide
    middle = places[np.abs(places[:, 0] - points[57, 0]) < 0.1 * wide, 1]
    assert abs(middle.max() - points[57, 1]) < 0.1 * wide
    assert abs(middle.min() - points[51, 1]) < 0.1 * wide


@pytest.mark.parametrize("seed", PEOPLE)
def test_the_brows_landmarks_are_on_the_brows(seed):
    places, points = altered(seed, POSES[1], brow_thickness=(0.03, 1e-4))
    wide = np.linalg.norm(points[45] - points[36])
    for landmark in points[17:27]:
        assert np.linalg.norm(places - landmark, axis=1).min() < 0.08 * wide


def test_the_left_of_the_numbers_is_the_subjects_right_as_in_ck():
    subject = person(0)
    _, points = rendered(subject)
    assert points[0, 0] < points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
    _, smiling = rendered(subject, {"mouthSmileLeft": 1.0})
    rise = points[:, 1] - smiling[:, 1]
    assert rise[54] > 3 and abs(rise[48]) < 1  # 54 is on the right of the picture


def test_the_two_sides_mirror_each_other():
    vertices = landmark_vertices(person(0).looks)
    assert len(_MIRRORED) == 29  # nine of the 68 are on the midline, the jaw's left are its keys
    for left, right in _MIRRORED.items():
        a, b = head().base[vertices[left]], head().base[vertices[right]]
        np.testing.assert_allclose(a * (-1, 1, 1), b, atol=0.01)


def test_the_outline_goes_around_the_face():
    """Points 0 to 16 turn one way only, seen from the front, and the chin's is the lowest."""
    for seed in PEOPLE:
        _, points = rendered(person(seed))
        jaw = points[:17] @ (1, 1j)
        turns = np.angle((jaw[2:] - jaw[1:-1]) / (jaw[1:-1] - jaw[:-2]))
        assert turns.max() < 0.35
        assert points[7:10, 1].max() < points[8, 1] + 3
