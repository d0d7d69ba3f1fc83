"""Hands-free and continuous mode, fed with drawn pictures; no window, no networks."""

import time
from concurrent.futures import ThreadPoolExecutor

from signs.clips import motion
from signs.clips.dataset import Label
from signs.live.continuous import Continuous
from signs.live.hands_free import HandsFree

import numpy as np

import fake_recogniser


def pictures(course, seconds: float):
    """(120, 160, 3) frames at 25 a second of a dark room with a hand where `course` says, None for rest."""
    rng = np.random.default_rng(0)
    for number in range(int(seconds * 25)):
        image = np.full((120, 160, 3), 40.0)
        place = course(number / 25)
        if place is not None:
            image[60:80, 30 + int(place) : 46 + int(place)] = 250
        yield np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8), number / 25


def run_mode(mode, course, seconds: float) -> list[str]:
    """The mode fed by a camera as fast as it takes frames; its states, each once."""
    states = []
    for image, moment in pictures(course, seconds):
        mode.frame(image, moment)
        while mode._pending and not mode._pending.done():
            time.sleep(0.001)
        mode.tick()
        if mode.state not in states[-1:]:
            states.append(mode.state)
    return states


def waving(*spans):
    def course(second):
        for start, end in spans:
            if start <= second < end:
                return 40 + 35 * np.sin((second - start) * 8)
        return None

    return course


def test_hands_free_records_from_just_before_the_movement_to_just_after():
    recogniser = fake_recogniser.Recogniser()
    with ThreadPoolExecutor(1) as worker:
        mode = HandsFree(recogniser, worker)
        states = run_mode(mode, waving((4, 5.5), (8, 9.2)), 12)
    assert [state for state in states if state != "translating"] == ["learning", *["ready", "recording"] * 2, "ready"]
    assert len(mode.history) == 2 and mode.history[0].name == "push down"
    for session, (start, end) in zip(recogniser.sessions, ((4, 5.5), (8, 9.2)), strict=True):
        assert session.length is None and session.times == sorted(session.times)
        assert start - motion.BEFORE - 0.3 < session.times[0] < start
        assert end < session.times[-1] < end + motion.AFTER + 0.3
        assert {min(picture.shape[:2]) for picture in session.frames} == {64}, "none is held larger than it is stored"


def test_hands_free_leaves_out_a_twitch_and_ends_what_never_ends(monkeypatch):
    monkeypatch.setattr(HandsFree, "LONGEST", 3.0)
    recogniser = fake_recogniser.Recogniser()
    with ThreadPoolExecutor(1) as worker:
        mode = HandsFree(recogniser, worker)
        run_mode(mode, waving((4, 4.16)), 7)
        assert mode.history == []
        mode.restart()
        run_mode(mode, waving((4, 99)), 8)
    assert len(mode.history) == 1


def test_hands_free_says_nothing_where_no_sign_was_made(monkeypatch):
    recogniser = fake_recogniser.Recogniser()
    none = [row if row.label != "002" else Label("002", "no sign I know", "none") for row in recogniser.classes]
    monkeypatch.setattr(recogniser, "classes", none)
    with ThreadPoolExecutor(1) as worker:
        mode = HandsFree(recogniser, worker)
        run_mode(mode, waving((4, 5.5)), 8)
    assert mode.answer.ranked[0][0] == "002" and mode.history == []


def test_continuous_says_a_sign_once_and_nothing_at_rest():
    with ThreadPoolExecutor(1) as worker:
        mode = Continuous(fake_recogniser.Recogniser(), worker, seconds=2.0)
        states = run_mode(mode, lambda second: 20 + 10 * np.sin(second * 9) if 5 < second < 8 else None, 12)
        mode.close()
    assert states == ["learning", "ready"]
    assert [said.name for said in mode.history] == ["wave"]
    assert mode.answer is None, "at rest"
    assert mode.timings.percentiles()["rgb net"]["times"] > 3, "longer than the window: looked at meanwhile"
