"""Points of hands and face alone: those of a whole person become what the 30 signs of German Sign Language are."""

from signs.clips import posture
from signs.clips.hands_alone import EYE, FEWEST, LEFT, NECK, NOSE, RIGHT, hands_alone
from signs.clips.points import Points
from signs.clips.spec import HANDS, InputSpec

import numpy as np

import posed

SPEC = InputSpec(frames=24, region=HANDS)


def person() -> Points:
    points = posed.points("right", 0, 0)
    points.body[:, EYE, :2] = points.body[:, NOSE, :2] + (-4, -5)
    return points


def test_nothing_of_the_body_is_left_but_the_eye_and_guessed_shoulders():
    points = hands_alone(person())
    assert {*np.flatnonzero(~np.isnan(points.body[0, :, 0]))} == {NOSE, LEFT, RIGHT}
    np.testing.assert_allclose(points.body[:, NOSE, :2], person().body[:, EYE, :2], rtol=1e-6)
    left, right = points.body[:, LEFT, :2], points.body[:, RIGHT, :2]
    width = left[:, 0] - right[:, 0]
    np.testing.assert_allclose(left[:, 1] - points.body[:, NOSE, 1], NECK * width, rtol=1e-4)
    assert np.ptp(width) < 1e-3 and width[0] > 0
    assert (points.hands[:, 1, :, 3] == 1).all() and np.isnan(points.hands[:, 0]).all()


def test_points_of_that_kind_stay():
    once = hands_alone(person())
    twice = hands_alone(once)
    np.testing.assert_allclose(twice.body, once.body, rtol=1e-5)
    np.testing.assert_array_equal(twice.hands, once.hands)
    np.testing.assert_allclose(twice.times, once.times)
    np.testing.assert_allclose(posture.seen(once, SPEC), posture.seen(person(), SPEC), atol=1e-5)


def test_frames_without_a_hand_are_gone():
    points = person()
    points.hands[5:9] = np.nan
    left = hands_alone(points)
    assert len(left.times) == len(points.times) - 4 and np.allclose(np.diff(left.times), 1 / 20)
    np.testing.assert_array_equal(left.hands[5, 1, :, :3], points.hands[9, 1, :, :3])


def test_the_hand_further_to_the_right_is_the_left_one():
    points = person()
    points.hands[:, 0] = points.hands[:, 1] - (60, 0, 0, 0)
    assert (hands_alone(points).hands[:, 0, 0, 0] > hands_alone(points).hands[:, 1, 0, 0]).all()


def test_where_hardly_a_hand_is_seen_nothing_is():
    points = person()
    points.hands[FEWEST - 1 :] = np.nan
    assert not posture.seen(points, SPEC).any()
    points = person()
    points.body[:] = np.nan
    assert not posture.seen(points, SPEC).any()
