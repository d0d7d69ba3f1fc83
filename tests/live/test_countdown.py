"""The states of the live demo's countdown, event by event, with a clock that stands still."""

from signs.live.countdown import Machine

import pytest


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def machine_in(state: str) -> Machine:
    """A machine that events have brought into `state`."""
    machine = Machine(countdown=3, seconds=5, clock=Clock())
    for step in ("countdown", "recording", "translating", "result"):
        if machine.state == state:
            break
        if step == "countdown":
            machine.start()
        elif step == "recording":
            machine.clock.now += 3
            machine.tick()
        elif step == "translating":
            machine.frame(0.0)
            machine.ended()
        else:
            machine.answered("answer")
    assert machine.state == state
    return machine


STATES = ["idle", "countdown", "recording", "translating", "result"]
EVENTS = {
    "start": lambda machine: machine.start(),
    "tick": lambda machine: machine.tick(),
    "frame": lambda machine: machine.frame(1.0),
    "ended": lambda machine: machine.ended(),
    "answered": lambda machine: machine.answered("answer"),
    "failed": lambda machine: machine.failed("reason"),
}
MOVES = {
    ("idle", "start"): "countdown",
    ("recording", "ended"): "translating",
    ("translating", "answered"): "result",
    ("translating", "failed"): "idle",
    ("result", "start"): "countdown",
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(state, event):
    machine = machine_in(state)
    EVENTS[event](machine)
    assert machine.state == MOVES.get((state, event), state)


def test_the_countdown_runs_by_the_clock():
    machine = machine_in("countdown")
    machine.clock.now += 2
    machine.tick()
    assert machine.state == "countdown" and machine.left == 1 and machine.progress == pytest.approx(2 / 3)
    machine.clock.now += 1
    machine.tick()
    assert machine.state == "recording" and machine.progress == 0 and machine.left == 5


def test_a_recording_lasts_by_the_stamps_of_its_frames():
    machine = machine_in("recording")
    machine.clock.now += 60
    assert machine.frame(40.0) and machine.frame(42.5)
    assert machine.progress == 0.5 and machine.left == 2.5
    assert machine.frame(45.0) and machine.rate == pytest.approx(2 / 5)
    assert machine.frame(45.0 + 1e-9), "a stamp's rounding"
    assert not machine.frame(45.1), "belongs to no recording any more"
    assert machine.state == "translating" and machine.frames == 4


def test_latency_and_message():
    machine = machine_in("translating")
    machine.clock.now += 0.75
    machine.answered("answer")
    assert machine.latency == 0.75 and machine.answer == "answer"
    machine = machine_in("translating")
    machine.failed("too dark")
    assert machine.message == "too dark"
    machine.start()
    assert machine.message == ""
