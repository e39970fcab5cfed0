import cv2
import numpy as np
import pytest

from gcnet_caffe.faces.align import CANONICAL, SIZE, equalise, fit_similarity, warp
from gcnet_caffe.faces.augment import (
    ANGLE_RANGE,
    BLUR_RANGE,
    CONTRAST_RANGE,
    GAIN_RANGE,
    GAMMA_RANGE,
    NO_AUGMENTATION,
    NOISE_RANGE,
    PATCH_PROBABILITY,
    PATCH_SIDES,
    SCALE_RANGE,
    SHARPENING_RANGE,
    SLOPE_RANGE,
    Draw,
    Light,
    draw,
    face_crop,
    mirrored,
    relit,
    toned,
    worn,
)
from gcnet_caffe.faces.landmarks import points_fault
from tests.packing.drawn_faces import POINTS, drawn_face


def test_copy_0_is_not_augmented():
    assert draw(3, 7, 0) == draw(3, 7, 0, photometric=True) == NO_AUGMENTATION == Draw(1, 0, 1)


def test_draws_depend_on_seed_row_and_copy_alone():
    assert draw(1, 2, 3) == draw(1, 2, 3)
    assert len({draw(1, 2, 3), draw(0, 2, 3), draw(1, 0, 3), draw(1, 2, 1)}) == 4


def test_draws_fill_their_ranges():
    draws = np.array([draw(0, row, 1)[:3] for row in range(500)])
    for values, bounds in zip(draws.T, (SCALE_RANGE, ANGLE_RANGE, GAIN_RANGE)):
        assert fills(values, bounds)


def fills(values, bounds):
    """Whether values are uniform in a range: none outside, near both ends, centred."""
    places = (np.array(values) - bounds[0]) / (bounds[1] - bounds[0])
    inside = 0 <= places.min() < 0.02 and 0.98 < places.max() <= 1
    return inside and abs(np.median(places) - 0.5) < 0.1


def test_light_leaves_scale_angle_and_gain_as_they_are():
    plain, lit = draw(1, 2, 3), draw(1, 2, 3, photometric=True)
    assert plain.light is None and lit.light is not None
    assert lit._replace(light=None) == plain
    arguments = ((1, 2, 3), (1, 2, 3), (0, 2, 3), (1, 0, 3), (1, 2, 1))
    assert len({draw(*each, photometric=True).light for each in arguments}) == 4


def test_lights_fill_their_ranges():
    lights = [draw(0, row, 1, photometric=True).light for row in range(1000)]
    assert fills(np.log([light.gamma for light in lights]), np.log(GAMMA_RANGE))
    assert fills([np.hypot(*light.slope) for light in lights], SLOPE_RANGE)
    assert fills([np.arctan2(*light.slope) for light in lights], (-np.pi, np.pi))
    assert fills([light.contrast for light in lights], CONTRAST_RANGE)
    assert fills([light.noise for light in lights], NOISE_RANGE)
    blurred = [light.blur for light in lights if light.blur]
    sharpened = [light.sharpening for light in lights if light.sharpening]
    assert fills(blurred, BLUR_RANGE) and fills(sharpened, SHARPENING_RANGE)
    assert 450 < len(blurred) < 550 and len(blurred) + len(sharpened) == 1000
    patches = np.array([light.patch for light in lights if light.patch])
    assert abs(len(patches) / 1000 - PATCH_PROBABILITY) < 0.05
    assert set(patches[:, 2:].ravel()) == set(range(PATCH_SIDES[0], PATCH_SIDES[1] + 1))
    ends = patches[:, :2] + patches[:, 2:]
    assert patches[:, :2].min() == 0 and ends.max() == SIZE


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


def sharpness(crop):
    return cv2.Laplacian(crop, cv2.CV_64F).var()


@pytest.fixture
def face():
    """A crop before CLAHE."""
    return warp(drawn_face(), fit_similarity(POINTS))


def test_light_that_changes_nothing(face):
    np.testing.assert_array_equal(face_crop(drawn_face(), POINTS), equalise(face))
    np.testing.assert_array_equal(relit(face, Light()), face)
    np.testing.assert_array_equal(toned(face, Light()), face)
    np.testing.assert_array_equal(worn(face, Light(), 0), face)


def test_gamma_above_1_darkens():
    crop = np.array([[0, 64, 128, 255]] * SIZE, np.uint8).repeat(17, axis=1)[:, :SIZE]
    assert toned(crop, Light(gamma=2.0))[0, [0, 20, 40, 60]].tolist() == [0, 16, 64, 255]
    assert toned(crop, Light(gamma=0.5))[0, [0, 20, 40, 60]].tolist() == [0, 128, 181, 255]


def test_the_slope_brightens_one_side():
    flat = np.full((SIZE, SIZE), 100, np.uint8)
    right, down = relit(flat, Light(slope=(0.5, 0))), relit(flat, Light(slope=(0, 0.5)))
    assert right[7, [0, -1]].tolist() == [50, 150]
    assert (np.diff(right[7].astype(int)) > 0).all() and (right == right[0]).all()
    np.testing.assert_array_equal(down, right.T)


def test_contrast_is_about_the_mean(face):
    for factor in (0.7, 1.3):
        changed = toned(face, Light(contrast=factor))
        assert changed.std() / face.std() == pytest.approx(factor, rel=0.02)
        assert changed.mean() == pytest.approx(face.mean(), abs=0.5)


def test_blur_and_sharpening(face):
    lights = (Light(blur=1.2), Light(blur=0.6), Light(), Light(sharpening=0.5), Light(sharpening=1))
    values = [sharpness(relit(face, light)) for light in lights]
    assert values == sorted(set(values)) and values[0] < values[2] / 2 < values[2] * 2 < values[-1]


def test_noise_differs_between_query_and_reference():
    flat = np.full((SIZE, SIZE), 128, np.uint8)
    light = Light(noise=5.0, noise_seed=3)
    query, reference = (worn(flat, light, place).astype(int) - 128 for place in (0, 1))
    for noise in (query, reference):
        assert abs(noise.mean()) < 0.3 and abs(noise.std() - 5) < 0.3
    assert abs(np.corrcoef(query.ravel(), reference.ravel())[0, 1]) < 0.06
    np.testing.assert_array_equal(worn(flat, light, 0) - 128, query.astype(np.uint8))
    assert (worn(flat, light._replace(noise_seed=4), 0) != query + 128).any()


def test_a_patch_has_its_own_mean(face):
    before = face.copy()
    hidden = worn(face, Light(patch=(18, 40, 20, 6)), 0)
    changed = np.zeros(face.shape, bool)
    changed[40:46, 18:38] = True
    assert set(hidden[changed]) == {round(face[changed].mean())} and len(set(face[changed])) > 2
    np.testing.assert_array_equal(hidden[~changed], face[~changed])
    np.testing.assert_array_equal(face, before)


def test_light_comes_before_the_equalisation_and_tones_and_noise_after_the_gain(face):
    light = Light((0.3, -0.2), 0.7, 0.0, 1.4, 0.8, 4.0, 9, (10, 20, 8, 12))
    bright = np.clip(np.rint(equalise(relit(face, light)) * 1.2), 0, 255).astype(np.uint8)
    bright = toned(bright, light)
    found = face_crop(drawn_face(), POINTS, Draw(1.0, 0.0, 1.2, light), 1)
    np.testing.assert_array_equal(found, worn(bright, light, 1))
    noise = bright.astype(int) - worn(bright, light._replace(patch=None), 1)
    assert (noise != 0).mean() > 0.5
    assert np.ptp(found[20:32, 10:18]) == 0  # the patch hides the noise, too
