import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gcnet_caffe.faces.align import CANONICAL, SIZE, equalise, fit_similarity, warp
from tests.packing.drawn_faces import POINTS


def moved(points, scale, degrees, shift):
    turn = np.radians(degrees)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return scale * points @ rotation.T + shift


@given(st.floats(0.05, 20), st.floats(-180, 180), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_points_of_the_layout_land_on_it(scale, degrees, x, y):
    points = moved(CANONICAL, scale, degrees, (x, y))
    matrix = fit_similarity(points).matrix()
    landed = points @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(landed, CANONICAL, atol=1e-6)


def test_it_is_the_least_squares_fit():
    points = POINTS + np.random.default_rng(0).normal(0, 3, POINTS.shape)
    # the four unknowns of [[a, -b, c], [b, a, d]], solved as a plain linear system
    x, y = points.T
    one, none = np.ones(5), np.zeros(5)
    system = np.vstack([np.column_stack([x, -y, one, none]), np.column_stack([y, x, none, one])])
    a, b, c, d = np.linalg.lstsq(system, CANONICAL.T.ravel(), rcond=None)[0]
    found = fit_similarity(points).matrix()
    np.testing.assert_allclose(found, [[a, -b, c], [b, a, d]], atol=1e-9)


def blob_centres(crop):
    """Centroid of each bright blob, left to right, top to bottom."""
    count, _, _, centres = cv2.connectedComponentsWithStats((crop > 60).astype(np.uint8))
    return sorted(centres[1:].tolist(), key=lambda c: (round(c[1] / 8), c[0])) if count > 1 else []


@pytest.mark.parametrize("scale, degrees", [(0.8, 0), (1, 0), (3, 20), (9, -35), (25, 5)])
def test_landmarks_in_the_picture_land_on_the_layout(scale, degrees):
    points = moved(CANONICAL - CANONICAL.mean(0), scale, degrees, (0, 0))
    points += 20 * scale + 60 - points.min(0)
    # dots drawn with 4 more bits of precision than a pixel
    width, height = (points.max(0) + 20 * scale + 60).astype(int)
    image = np.zeros((height, width), np.uint8)
    for point in points:
        centre = tuple(int(v) for v in np.rint(point * 16))
        cv2.circle(image, centre, int(2.5 * scale * 16), 255, -1, cv2.LINE_AA, shift=4)
    found = blob_centres(warp(image, fit_similarity(points)))
    assert len(found) == 5
    np.testing.assert_allclose(found, CANONICAL, atol=0.35)


def test_shrinking_does_not_alias():
    # a checkerboard of single pixels, made 10 times smaller, is an even grey
    image = (np.indices((800, 800)).sum(0) % 2 * 255).astype(np.uint8)
    crop = warp(image, fit_similarity(10 * CANONICAL + 50.3))
    assert crop.shape == (SIZE, SIZE) and abs(float(crop.mean()) - 127.5) < 2 and crop.std() < 16


def test_beyond_the_border_the_edge_is_repeated():
    image = np.full((40, 40), 90, np.uint8)
    assert (warp(image, fit_similarity(CANONICAL * 0.6)) == 90).all()


def test_the_face_stays_inside_the_random_crop():
    # chin of an average face: as far below the mouth as 3/4 of the distance between the eyes
    eyes = CANONICAL[1, 0] - CANONICAL[0, 0]
    assert CANONICAL[:, 1].max() + 0.75 * eyes < SIZE - 2
    assert CANONICAL[0, 1] - 0.6 * eyes > 2  # brows


def test_equalisation_stretches_contrast():
    dull = (100 + 10 * np.random.default_rng(0).random((SIZE, SIZE))).astype(np.uint8)
    assert equalise(dull).std() > 2 * dull.std()
