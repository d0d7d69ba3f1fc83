"""The states of the live demo's countdown, event by event, with a clock that stands still."""

from concurrent.futures import Future
from types import SimpleNamespace

from signs.live.countdown import Countdown

import numpy as np
import pytest

import fake_recogniser

PICTURE = np.zeros((48, 64, 3), np.uint8)
ANSWER = SimpleNamespace(ranked=[("001", 1.0)], known=True)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def mode_in(state: str) -> Countdown:
    """A countdown that events have brought into `state`; its worker never comes to an end."""
    worker = SimpleNamespace(submit=lambda function: Future())
    mode = Countdown(fake_recogniser.Recogniser(), worker, countdown=3, seconds=5, clock=Clock())
    for step in ("countdown", "recording", "translating", "result"):
        if mode.state == state:
            break
        if step == "countdown":
            mode.start()
        elif step == "recording":
            mode.clock.now += 3
            mode.tick()
        elif step == "translating":
            mode.frame(PICTURE, 0.0)
            mode.ended()
        else:
            mode.answered(ANSWER)
    assert mode.state == state
    return mode


STATES = ["idle", "countdown", "recording", "translating", "result"]
EVENTS = {
    "start": lambda mode: mode.start(),
    "tick": lambda mode: mode.tick(),
    "frame": lambda mode: mode.frame(PICTURE, 1.0),
    "ended": lambda mode: mode.ended(),
    "answered": lambda mode: mode.answered(ANSWER),
    "failed": lambda mode: mode.failed("reason"),
}
MOVES = {
    ("idle", "start"): "countdown",
    ("countdown", "start"): "idle",
    ("recording", "ended"): "translating",
    ("translating", "answered"): "result",
    ("translating", "failed"): "idle",
    ("result", "start"): "countdown",
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(state, event):
    mode = mode_in(state)
    EVENTS[event](mode)
    assert mode.state == MOVES.get((state, event), state)


def test_the_countdown_runs_by_the_clock():
    mode = mode_in("countdown")
    mode.clock.now += 2
    mode.tick()
    assert mode.state == "countdown" and mode.left == 1 and mode.progress == pytest.approx(2 / 3)
    mode.clock.now += 1
    mode.tick()
    assert mode.state == "recording" and mode.progress == 0 and mode.left == 5


def test_a_recording_lasts_by_the_stamps_of_its_frames():
    mode = mode_in("recording")
    mode.clock.now += 60
    mode.frame(PICTURE, 40.0)
    mode.frame(PICTURE, 42.5)
    assert mode.progress == 0.5 and mode.left == 2.5
    mode.frame(PICTURE, 45.0)
    assert mode.rate == pytest.approx(2 / 5)
    mode.frame(PICTURE, 45.0 + 1e-9)
    assert mode.state == "recording", "a stamp's rounding"
    mode.frame(PICTURE, 45.1)
    assert mode.session.times == [40.0, 42.5, 45.0, 45.0 + 1e-9], "45.1 s belongs to no recording any more"
    assert mode.state == "translating" and mode.frames == 4


def test_latency_and_message():
    mode = mode_in("translating")
    mode.clock.now += 0.75
    mode.answered(ANSWER)
    assert mode.latency == 0.75 and mode.answer is ANSWER
    mode = mode_in("translating")
    mode.failed("too dark")
    assert mode.message == "too dark"
    mode.start()
    assert mode.message == ""
