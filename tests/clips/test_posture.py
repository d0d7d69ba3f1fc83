"""What a network sees of points: the same for every camera, distance and frame rate, and through gaps."""

from signs.clips import posture
from signs.clips.points import Points

import numpy as np

SECONDS = 1.5
MOMENTS = np.linspace(0, SECONDS, 24)
PRESENT = slice(2 * posture.PLACES, None)  # of the left hand, the right hand, the body


def moving(rate: int = 20) -> Points:
    """A person whose points go on straight lines, each its own way."""
    times = np.linspace(0, SECONDS, round(SECONDS * rate) + 1)
    rng = np.random.default_rng(0)
    begin, way = rng.uniform(0, 1, (2, 75, 4)) * (40, 40, 5, 0)
    begin[11, :2], begin[12, :2], way[[11, 12]] = (60, 20), (20, 20), 0
    begin[[23, 24], 1], way[[23, 24]], begin[:, 3] = 70, 0, 1
    points = begin + way * times[:, None, None] / SECONDS
    return Points(points[:, :33], points[:, 33:].reshape(-1, 2, 21, 4).copy(), times, (100, 100))


def test_camera_distance_and_place_do_not_matter():
    points, elsewhere = moving(), moving()
    for rows in (elsewhere.body, elsewhere.hands):
        rows[..., :3] = 3 * rows[..., :3] + (200, 50, 0)
    assert np.allclose(posture.at(points, MOMENTS), posture.at(elsewhere, MOMENTS), atol=1e-4)


def test_the_frame_rate_does_not_matter():
    assert np.allclose(posture.at(moving(10), MOMENTS), posture.at(moving(30), MOMENTS), atol=1e-3)


def test_a_gap_is_filled_and_said():
    points, whole = moving(), posture.at(moving(), MOMENTS)
    points.hands[10:20, 1] = np.nan
    values = posture.at(points, MOMENTS)
    assert np.allclose(values[:, : posture.PLACES], whole[:, : posture.PLACES], atol=1e-4)
    lost = (points.times[11] < MOMENTS) & (points.times[18] > MOMENTS)
    assert (values[lost, PRESENT] == (1, 0, 1)).all() and (values[[0, -1], PRESENT] == 1).all()


def test_a_hand_that_comes_late_waits_where_it_comes():
    points = moving()
    points.hands[:8, 0] = np.nan
    values, first = posture.at(points, MOMENTS), posture.at(points, points.times[[8]])
    wrist = slice(2 * len(posture.BODY) + 2 * 3 * 20, 2 * len(posture.BODY) + 2 * 3 * 20 + 2)
    before = points.times[8] > MOMENTS
    assert np.allclose(values[before, wrist], first[0, wrist], atol=1e-5)
    assert not values[0, PRESENT][0] and values[-1, PRESENT][0] == 1


def test_nobody_and_a_single_frame():
    empty = Points(np.full((1, 33, 4), np.nan), np.full((1, 2, 21, 4), np.nan), np.zeros(1), (48, 64))
    assert not posture.at(empty, np.zeros(5)).any()


def test_what_each_value_is_in_a_mirror():
    points = moving()
    points.hands[5:9, 0] = np.nan
    body, hands = (rows * (-1, 1, 1, 1) + (points.size[1], 0, 0, 0) for rows in (points.body, points.hands))
    there = Points(body[:, posture.OPPOSITE], hands[:, ::-1], points.times, points.size)
    values = np.array(posture.in_mirror())
    mirrored = posture.at(points, MOMENTS)[:, abs(values) - 1] * np.sign(values)
    assert np.allclose(mirrored, posture.at(there, MOMENTS), atol=1e-5)
    assert not np.allclose(mirrored, posture.at(points, MOMENTS), atol=0.1)
