"""One picture: its size and place, its light, and nothing that should not be in it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from gcnet_caffe.rendering.heads import picture
from gcnet_caffe.rendering.heads.sequence import draw_subject, render_still
from tests.rendering.heads.scenes import FRONTAL, SIZE, person, rendered, scene


def still(seed, size=SIZE):
    rng = np.random.default_rng(seed)
    return render_still(draw_subject(rng), size, rng)


def test_a_still_is_a_grey_picture_with_68_points_inside():
    for size in ((240, 320), (400, 250)):
        for seed in range(3):
            image, points = still(seed, size)
            assert image.shape == size[::-1] and image.dtype == np.uint8
            assert points.shape == (68, 2)
            assert (points > 0).all() and (points < np.array(size) - 1).all()
            assert image.std() > 15


def test_the_seed_decides_everything():
    for one, two, other in zip(still(3), still(3), still(4)):
        np.testing.assert_array_equal(one, two)
        assert (one != other).mean() > 0.5


def test_a_larger_picture_shows_the_same():
    subject = person(1)
    small, points = rendered(subject, size=(160, 160))
    large, far = rendered(subject, size=(320, 320))
    np.testing.assert_allclose((points + 0.5) * 2 - 0.5, far, atol=1)
    half = cv2.resize(large, (160, 160), interpolation=cv2.INTER_AREA)
    assert np.abs(half - small).mean() < 4 < np.abs(half - small[:, ::-1]).mean()


@pytest.mark.parametrize("front", [85.0, 58.0, 41.0])
@pytest.mark.parametrize("yaw", [-0.25, 0.1])
def test_hair_has_no_gaps(front, yaw):
    """The background is seen from the picture's border on, and never through the hair."""
    pose = picture.Pose(yaw, 0.05, 0.0)
    for seed in range(2):
        subject = person(seed, hair_style="long", hair_front=front)
        black, white = (
            rendered(subject, pose=pose, view=scene(seed, background=(tone, 0.0, 0.0)))[0]
            for tone in (0.01, 1.0)
        )
        behind = np.pad((white - black > 60).astype(np.uint8), 1, constant_values=1)
        count, labels = cv2.connectedComponents(behind, connectivity=4)
        sizes = np.bincount(labels.ravel())[2:]  # 0 is the head, 1 what touches the border
        assert count >= 2 and sizes.sum() <= 3, (seed, sizes)


def test_teeth_are_seen_between_parted_lips_only():
    smile = ("mouthSmile", "mouthUpperUp", "mouthLowerDown")
    units = {f"{unit}{side}": 1.0 for unit in smile for side in ("Left", "Right")}
    for seed in range(3):
        for felt, seen in (({}, False), (units, True)):
            dull, bright = (replace(person(seed, teeth=tone), rest={}) for tone in (0.5, 1.0))
            image, points = rendered(dull, felt)
            rows, columns = np.nonzero(rendered(bright, felt)[0] - image > 30)
            assert len(rows) > 100 if seen else len(rows) == 0
            assert all(points[48, 0] < columns) and all(columns < points[54, 0])
            assert all(points[51, 1] < rows) and all(rows < points[57, 1])


def test_a_lamp_lights_its_side():
    half = SIZE[0] // 2
    for side in (-1, 1):
        dark = scene(sky=np.full(picture._SKY, 0.2, np.float32), lamps=(((side, 0.2, 0.5), 1.0),))
        image, points = rendered(person(2), view=dark)
        cheeks = image[int(points[29, 1]) : int(points[33, 1])]
        left, right = cheeks[:, half - 40 : half].mean(), cheeks[:, half : half + 40].mean()
        assert side * (right - left) > 15  # a lamp at the subject's left is on the picture's right


def test_a_turned_head_moves_the_nose_and_glasses_stay_on_the_eyes():
    _, straight = rendered(person(2))
    for yaw in (-0.3, 0.3):
        _, turned = rendered(person(2), pose=picture.Pose(yaw, 0.0, 0.0))
        assert (
            yaw
            * (turned[30] - turned[[36, 45]].mean(0) - straight[30] + straight[[36, 45]].mean(0))[0]
            > 1
        )
    bare, points = rendered(person(2), pose=FRONTAL)
    worn, _ = rendered(person(2, glasses=(0.2, 0.16, 0.02)), pose=FRONTAL)
    rows, columns = np.nonzero(np.abs(worn - bare) > 40)
    eyes = points[36:48].mean(0)
    assert abs(columns.mean() - eyes[0]) < 4 and abs(rows.mean() - eyes[1]) < 8
