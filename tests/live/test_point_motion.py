"""Signs told from rest, trembling and walking by the points of a drawn person, and of real people."""

from signs.clips import motion
from signs.clips.points import Found
from signs.live.point_motion import PointDetector

import numpy as np
import pytest

import scene

RATE, WIDTH = 25, 40.0


def found_at(second: float, moves=(), walks=(), held=(), gone=(), trembling: float = 0.4, fingers=()) -> Found:
    """A person whose hands go up and down during `moves`, are up during `held`, who walks during `walks`."""
    rng = np.random.default_rng(round(second * 1000))
    up = sum(WIDTH * (1 - np.cos((second - begin) * 7)) / 2 for begin, end in moves if begin <= second < end)
    up += sum(2 * WIDTH for begin, end in held if begin <= second < end)
    x = 100 + sum(2 * WIDTH * np.clip(second - begin, 0, end - begin) for begin, end in walks)
    swing = sum(WIDTH * np.sin((second - begin) * 6) / 2 for begin, end in walks if begin <= second < end)
    body = scene.body_at(x, 120, WIDTH, up)
    body[15, 0] += swing
    body[:, :2] += rng.normal(0, trembling, (33, 2))
    hands = np.full((2, 21, 4), np.nan, np.float32)
    hands[1] = body[16]
    hands[1, 8:13, 0] += sum(12 * np.sin((second - begin) * 12) for begin, end in fingers if begin <= second < end)
    if any(begin <= second < end for begin, end in gone):
        body, hands = np.full_like(body, np.nan), np.full_like(hands, np.nan)
    return Found(body, hands, (240, 640))


def events(seconds: float, **what) -> list[tuple[str, float]]:
    detector, found = PointDetector(), []
    for number in range(int(seconds * RATE)):
        event = detector.push(found_at(number / RATE, **what), number / RATE)
        if event:
            found.append((event, number / RATE))
    return found


def names(found) -> list[str]:
    return [event for event, _ in found]


@pytest.mark.parametrize("how", ["moves", "fingers"])
def test_a_sign_begins_and_ends(how):
    found = events(9, **{how: [(4, 5.8)]})
    assert names(found) == ["learnt", "began", "ended"]
    learnt, began, ended = (seconds for _, seconds in found)
    assert learnt == pytest.approx(motion.LEARNING, abs=0.1)
    assert 4 < began < 4.5 and 5.6 < ended < 5.8 + motion.HELD + 0.3


def test_trembling_points_are_no_sign_and_are_learnt():
    assert names(events(14, trembling=0.6)) == ["learnt"]
    assert names(events(14, trembling=0.6, moves=[(8, 10)])) == ["learnt", "began", "ended"]


def test_who_walks_in_or_about_makes_no_sign():
    assert names(events(9, gone=[(0, 1)], walks=[(1, 3)])) == ["learnt"]
    assert set(names(events(12, walks=[(5, 7)]))) <= {"learnt", "began", "left"}, "what the arms begin is left"
    found = events(12, walks=[(5, 7)], moves=[(9, 10)])
    assert names(found)[-2:] == ["began", "ended"] and found[-2][1] > 9


def test_a_sign_that_becomes_a_walk_is_left():
    assert names(events(10, moves=[(4, 5)], walks=[(4.6, 7)])) == ["learnt", "began", "left"]


def test_nobody_is_waited_for_and_who_goes_ends_a_sign():
    found = events(9, gone=[(0, 3)])
    assert found == [("learnt", pytest.approx(3 + motion.LEARNING, abs=0.1))]
    assert names(events(9, moves=[(4, 9)], gone=[(5, 9)])) == ["learnt", "began", "ended"]


def test_whoever_moves_at_first_is_learnt_later():
    assert events(8, moves=[(0, 2)]) == [("learnt", pytest.approx(5, abs=0.3))]


def test_whoever_goes_on_moving_is_told_and_never_taken_for_rest():
    detector = PointDetector()
    for number in range(20 * RATE):
        second = number / RATE
        event = detector.push(found_at(second, moves=[(0, 15)]), second)
        if 0.5 < second < 15:
            assert detector.state == "learning" and event is None and detector.progress < 0.7
        if second in (2.0, 8.0, 14.0):
            assert detector.restless
    assert detector.state == "still" and not detector.restless


def test_points_that_tremble_quickly_are_learnt_in_the_end():
    found = events(16, trembling=2.0)
    assert names(found)[:1] == ["learnt"] and found[0][1] < motion.PATIENCE + 1


def test_a_hold_in_another_pose_ends_later_than_rest():
    rest = dict(reversed(events(9, moves=[(4, 5)])))["ended"]
    held = dict(reversed(events(9, moves=[(4, 5)], held=[(5, 99)])))["ended"]
    assert rest < held
