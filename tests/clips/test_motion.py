"""Signs told from rest, noise, light and a fan, on drawn pictures whose movement is known."""

import csv

from signs.clips import motion
from signs.clips.motion import Detector
from signs.clips.video import read_video

import numpy as np
import pytest

import tiny

RATE = 25
ROOM = np.repeat(tiny.texture(120, 160)[..., None], 3, axis=-1)


def picture(second: float, moves=(), fan: bool = False, light: float = 0.0, held=(), noise: float = 3.0) -> np.ndarray:
    """A room with a hand that moves during the spans `moves`, is somewhere else during `held`, and a fan."""
    image = ROOM + light
    place = 20 + 60 * sum(np.clip(second - start, 0, 0.001) * 1000 for start, _ in held)
    for start, end in moves:
        if start <= second < end:
            place += 25 * np.sin((second - start) * 7)
    x = round(40 + place)
    image = image.copy()
    image[60:76, x : x + 14] = 250
    if fan:
        image[5:25, 5:25] += 80 * (round(second * RATE) % 3 - 1)
    rng = np.random.default_rng(round(second * 1000))
    return np.clip(image + rng.normal(0, noise, image.shape), 0, 255).astype(np.uint8)


def events(seconds: float, **what) -> list[tuple[str, float]]:
    detector, found = Detector(), []
    for number in range(int(seconds * RATE)):
        event = detector.push(picture(number / RATE, **what), number / RATE)
        if event:
            found.append((event, number / RATE))
    return found


def test_a_sign_begins_and_ends():
    found = events(9, moves=[(4, 6)])
    assert [event for event, _ in found] == ["learnt", "began", "ended"]
    learnt, began, ended = (seconds for _, seconds in found)
    assert learnt == pytest.approx(motion.LEARNING, abs=0.1)
    assert 4 < began < 4.35 and 6 < ended < 6 + motion.HELD + 0.3


@pytest.mark.parametrize("what", [{}, {"noise": 12.0}, {"fan": True}])
def test_noise_and_a_fan_are_no_sign(what):
    found = events(14, **what)
    assert [event for event, _ in found] == ["learnt"]


def test_a_fan_is_learnt_and_a_hand_is_still_seen():
    found = events(16, fan=True, moves=[(11, 13)])
    assert [event for event, _ in found] == ["learnt", "began", "ended"]
    assert found[0][1] <= motion.PATIENCE + 0.1 and 11 < found[1][1] < 11.5


def test_light_that_changes_everywhere_is_no_sign():
    detector, found = Detector(), []
    for number in range(8 * RATE):
        image = picture(number / RATE, light=25.0 * (number > 5 * RATE))
        found.append(detector.push(image, number / RATE))
    assert {event for event in found if event} == {"learnt"}


def test_whoever_moves_at_first_is_learnt_later():
    found = events(8, moves=[(0, 2)])
    assert found == [("learnt", pytest.approx(5, abs=0.3))]


def test_whoever_moves_while_rest_is_learnt_is_told():
    detector = Detector()
    for number in range(2 * RATE):
        detector.push(picture(number / RATE, moves=[(1, 2)]), number / RATE)
        assert detector.restless is False or number > RATE
    assert detector.restless and detector.state == "learning"


def test_a_hold_in_another_pose_ends_later_than_rest():
    moves = [(4, 5.5)]
    rest = dict(reversed(events(9, moves=moves)))["ended"]
    held = dict(reversed(events(9, moves=moves, held=[(5.5, 99)])))["ended"]
    assert rest < held


def test_real_people_near_and_far(shared):
    """One clip a distance and person: exactly one sign each, nearly always; clips of people who stand still: none."""
    table = shared("clips/gestures.csv")
    with open(table, newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["label"] in ("come", "static") and "_1_" in row["video"] or row["label"] == "come"
        ]
    signs = []
    for row in rows:
        images, times = read_video(table.parent / row["video"], 120)
        detector, began = Detector(), 0
        step, rng = float(np.median(np.diff(times))), np.random.default_rng(0)
        rest = [
            np.clip(images[0] + rng.normal(0, 2, images[0].shape), 0, 255).astype(np.uint8)
            for _ in range(int(3.3 / step))
        ]
        for number, image in enumerate([*rest, *images]):
            began += detector.push(image, number * step) == "began"
        if row["label"] == "come":
            signs.append(began)
    assert np.mean(np.array(signs) == 1) >= 0.7, signs
