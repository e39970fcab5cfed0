"""The same number for the same person."""

import numpy as np

from gcnet_caffe.recognition.tracker import OVERLAP, PATIENCE, Tracker


def box(x, y=0.0, side=100.0):
    return np.array([x, y, side, side])


def test_a_face_that_moves_keeps_its_number_in_whatever_order_it_comes():
    tracker = Tracker()
    assert tracker.update([box(0), box(300)]) == [1, 2]
    assert tracker.update([box(280), box(30), box(600)]) == [2, 1, 3]
    assert tracker.update([]) == []
    assert tracker.update([box(610), box(60)]) == [3, 1]


def test_the_largest_overlap_comes_first():
    tracker = Tracker()
    tracker.update([box(0), box(60)])
    assert tracker.update([box(50), box(20)]) == [2, 1]
    assert tracker.update([box(40)]) == [2]  # 1 overlaps it, too


def test_what_overlaps_less_is_a_new_person():
    """Two squares that are d of their side apart share (1 - d) / (1 + d)."""
    apart = 100 * (1 - OVERLAP) / (1 + OVERLAP)
    for move, person in ((apart - 1, 1), (apart + 1, 2), (500, 2)):
        tracker = Tracker()
        tracker.update([box(0)])
        assert tracker.update([box(move)]) == [person]


def test_who_is_away_for_long_is_a_new_person():
    for frames, person in ((PATIENCE - 1, 1), (PATIENCE, 2)):
        tracker = Tracker()
        tracker.update([box(0)])
        for _ in range(frames):
            tracker.update([])
        assert tracker.update([box(0)]) == [person]
