import numpy as np

from gcnet_caffe.faces.align import CANONICAL, SIZE, fit_similarity, warp
from gcnet_caffe.faces.augment import (
    ANGLE_RANGE,
    GAIN_RANGE,
    NO_AUGMENTATION,
    SCALE_RANGE,
    Draw,
    draw,
    face_crop,
    mirrored,
)
from gcnet_caffe.faces.landmarks import points_fault
from tests.packing.drawn_faces import POINTS, drawn_face


def test_copy_0_is_not_augmented():
    assert draw(3, 7, 0) == NO_AUGMENTATION == Draw(1, 0, 1)


def test_draws_depend_on_seed_row_and_copy_alone():
    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({draw(1, 2, 3), draw(0, 2, 3), draw(1, 0, 3), draw(1, 2, 1)}) == 4


def test_draws_fill_their_ranges():
    draws = np.array([draw(0, row, 1) for row in range(500)])
    for values, (low, high) in zip(draws.T, (SCALE_RANGE, ANGLE_RANGE, GAIN_RANGE)):
        assert low <= values.min() < low + 0.02 * (high - low)
        assert high - 0.02 * (high - low) < values.max() <= high


def test_query_and_reference_move_together():
    drawn = Draw(0.92, 8.0, 1.15)
    moved = POINTS * 1.5 + 10  # the same face elsewhere, larger
    elsewhere = drawn_face(moved, (260, 200))
    query = face_crop(drawn_face(), POINTS, drawn).astype(int)
    together = np.abs(query - face_crop(elsewhere, moved, drawn)).mean()
    apart = np.abs(query - face_crop(elsewhere, moved)).mean()
    assert 3 * together < apart


def centre_of_dark(crop, centre):
    """Centroid of the dark pixels near `centre`."""
    ys, xs = np.nonzero(crop < 40)
    near = np.hypot(xs - centre[0], ys - centre[1]) < 6
    return np.array([xs[near].mean(), ys[near].mean()])


def test_scale_and_angle_turn_about_the_centre():
    crop = face_crop(drawn_face(), POINTS, Draw(1.1, 10.0, 1.0))
    plain = face_crop(drawn_face(), POINTS)
    turn = 1.1 * np.exp(1j * np.radians(10))
    for eye in CANONICAL[:2]:
        middle = (SIZE - 1) / 2
        start = centre_of_dark(plain, eye) - middle
        z = turn * complex(*start)
        wanted = np.array([z.real, z.imag]) + middle
        np.testing.assert_allclose(centre_of_dark(crop, wanted), wanted, atol=0.6)


def test_a_mirrored_face_has_its_landmark_sides_exchanged():
    turned = np.array([[60.0, 50.0], [92.0, 41.0], [80.0, 62.0], [70.0, 84.0], [95.0, 77.0]])
    image = drawn_face(turned)
    image[:, :70] //= 2  # light from one side
    other, points = mirrored(image, turned)
    assert not points_fault(points, other)
    assert points[0].tolist() == [159 - 92, 41] and points[3].tolist() == [159 - 95, 77]
    # before CLAHE, whose tiles (66 is no multiple of 4) are not placed symmetrically
    plain = warp(image, fit_similarity(turned))[:, ::-1].astype(int)
    assert np.abs(warp(other, fit_similarity(points)) - plain).max() <= 1
    swapped = points[[1, 0, 2, 4, 3]]  # mirrored, but the sides not exchanged
    assert "left and right swapped" in points_fault(swapped, other)


def test_gain_comes_after_the_equalisation():
    plain = face_crop(drawn_face(), POINTS).astype(float)
    bright = face_crop(drawn_face(), POINTS, Draw(1.0, 0.0, 1.2))
    np.testing.assert_array_equal(bright, np.clip(np.rint(plain * 1.2), 0, 255))
