"""A recording session without a window: questions, takes, pauses, keys; what is kept, and what a full disc leaves."""

import errno
import os
import sys
from collections import Counter

from signs.clips.video import read_video
from signs.live import guidance, record_overlay, recorder
from signs.live.record_window import Session
from signs.live.recorder import Recorder
from signs.live.session_plan import PAUSES, Plan
from signs.live.text_field import X_UNICODE
from signs.prepare.recordings import read_recordings

import numpy as np
import pytest

import tiny

LETTERS = X_UNICODE if sys.platform == "linux" else 0
FRAMES = tiny.moving(16, 96, 128)
SAID = {"signer": "anna", "scope": ("training",)}


class Studio:
    """A session whose clock and camera the test moves."""

    def __init__(self, folder, **plan):
        self.now = 100.0
        self.folder = read_recordings(folder)
        plan = {"takes": 3, "seconds": 1.0, "countdown": 1.0, **plan}
        self.recorder = Recorder(self.folder, Plan(**plan), clock=lambda: self.now)

    def write(self, text: str) -> None:
        for each in text:
            self.recorder.type(ord(each) + LETTERS * (ord(each) > 255))
        self.recorder.type(13)

    def press(self, keys: str) -> None:
        for key in keys:
            self.recorder.press(key)

    def play(self, seconds: float, rate: float = 20.0, frames=FRAMES) -> None:
        for number in range(round(seconds * rate)):
            self.now += 1 / rate
            self.recorder.tick()
            self.recorder.frame(frames[number % len(frames)], self.now)

    def take(self, key: str = "k") -> None:
        self.press(" ")
        assert self.recorder.state == "countdown"
        self.play(2.5)
        assert self.recorder.state == "review"
        self.press(key)

    @property
    def labels(self) -> dict:
        return dict(Counter(row.label for row in read_recordings(self.folder.folder).rows))


@pytest.fixture
def make(tmp_path):
    return lambda **plan: Studio(tmp_path / "mine", **plan)


def test_the_window_asks_for_all_it_has_to_know(make):
    studio = make()
    session = studio.recorder
    assert session.state == "signer"
    studio.write(" ")
    assert session.state == "signer" and "name is empty" in session.message
    studio.write("\x08Zoë")
    assert (session.state, session.signer) == ("scope", "Zoë")
    studio.press("\r")
    assert session.state == "scope" and not any(session.scope.values())
    studio.press("2\r")
    assert session.state == "scope" and "without 1" in session.message
    studio.press("213\r")
    assert session.state == "given_by"
    studio.write("her mother")
    (consent,) = read_recordings(studio.folder.folder).consents
    assert (consent.scope, consent.given_by) == (("training", "sharing"), "her mother")
    studio.write("nothing")
    assert session.state == "sign" and "choose another name" in session.message
    studio.write("\x08" * 7 + "مرحبا")
    assert (session.state, session.sign, session.number, session.goal) == ("ready", "مرحبا", 1, 3)


def test_takes_then_a_pause_then_the_next_sign(make):
    studio = make(**SAID, signs=["hello", "bye"])
    for number in range(1, 4):
        assert (studio.recorder.sign, studio.recorder.number) == ("hello", number)
        studio.take()
    assert (studio.recorder.sign, studio.recorder.prompt) == ("nothing", PAUSES[0])
    studio.take()
    for _ in range(3):
        studio.take("\r")
    assert studio.recorder.prompt == PAUSES[1]
    studio.take()
    assert studio.recorder.state == "choose" and studio.labels == {"hello": 3, "nothing": 2, "bye": 3}
    studio.press("n")
    studio.write("hello")
    assert (studio.recorder.number, studio.recorder.goal) == (4, 6), "all takes are there: as many again"


def test_a_take_has_the_times_at_which_its_frames_came(make):
    studio = make(**SAID, signs=["hello"], countdown=0.0)
    studio.press(" ")
    studio.recorder.tick()
    stamps = [7.0, 7.03, 7.2, 7.21, 7.9, 8.0, 8.1]
    for image, seconds in zip(FRAMES, stamps, strict=False):
        studio.recorder.frame(image, seconds)
    assert studio.recorder.state == "review" and studio.recorder.take.frames == 6, "a second, its ends included"
    studio.press("k")
    frames, times = read_video(studio.folder.path(studio.folder.rows[0]))
    np.testing.assert_allclose(times, np.array(stamps[:6]) - 7.0, atol=1 / 60000)
    assert np.abs(frames.astype(int) - FRAMES[:6]).mean() < 8, "neither mirrored nor altered"


def test_keep_throw_away_once_more_undo(make):
    studio = make(**SAID, signs=["hello"])
    studio.take("t")
    assert studio.recorder.state == "ready" and not studio.folder.rows
    studio.take("o")
    assert studio.recorder.state == "countdown" and not studio.folder.rows
    studio.press(" ")
    assert studio.recorder.state == "ready", "a countdown can be called off"
    for _ in range(3):
        studio.take()
    last = studio.folder.path(studio.folder.rows[-1])
    assert studio.recorder.prompt and last.is_file()
    studio.press("u")
    assert not last.exists() and studio.labels == {"hello": 2}
    assert (studio.recorder.sign, studio.recorder.prompt, studio.recorder.number) == ("hello", "", 3)
    studio.press("uuu")
    assert studio.labels == {} and "nothing of anna was kept" in studio.recorder.message


def test_undo_goes_back_to_an_earlier_sign(make):
    studio = make(**SAID, signs=["hello", "bye"])
    studio.take()
    studio.press("nn")
    assert studio.recorder.sign == "bye"
    studio.press("u")
    assert studio.recorder.sign == "hello"
    studio.press("n")
    assert studio.recorder.sign == "bye", "nothing of hello was kept, so no pause is asked for"


def test_space_ends_a_take_and_a_slip_of_the_finger_is_none(make):
    studio = make(**SAID, signs=["hello"], seconds=20.0)
    studio.press(" ")
    studio.play(1.1)
    studio.press(" ")
    assert studio.recorder.state == "ready" and "too short" in studio.recorder.message
    studio.press(" ")
    studio.play(2.0)
    studio.press(" ")
    assert studio.recorder.state == "review" and 0.8 < studio.recorder.take.length < 1.1


def test_a_second_session_goes_on(make):
    studio = make(**SAID, signs=["hello"])
    studio.take()
    studio = make(signer="ANNA", signs=["hello"])
    assert (studio.recorder.signer, studio.recorder.number, studio.recorder.goal) == ("anna", 2, 3)
    studio.take()
    assert studio.labels == {"hello": 2} and not make(signer="ben").folder.consent_of("ben")


def test_another_person_is_asked_too(make):
    studio = make(**SAID, signs=["hello"])
    for _ in range(4):
        studio.take()
    studio.press("p")
    studio.write("ben")
    assert studio.recorder.state == "scope", "the flag spoke of anna"
    studio.press("1\r")
    studio.write("")
    assert (studio.recorder.state, studio.recorder.sign, studio.recorder.number) == ("ready", "hello", 1)
    studio.press("u")
    assert studio.recorder.signer == "ben" and len(studio.folder.rows) == 4, "anna's takes are not ben's to delete"


def test_a_full_disc_costs_nothing(make, monkeypatch):
    studio, real = make(**SAID, signs=["hello"]), os.replace

    def full(source, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    studio.take()
    assert studio.recorder.state == "review" and "disc is full" in studio.recorder.message
    assert not list((studio.folder.folder / "video").rglob("*.*"))
    monkeypatch.setattr(os, "replace", real)
    studio.press("k")
    assert studio.labels == {"hello": 1}


def test_what_is_wrong_is_said_before_and_after(make):
    studio = make(**SAID, signs=["hello"])
    studio.play(0.5, frames=FRAMES // 10)
    assert studio.recorder.advice == guidance.DARK_LINE
    studio.press(" ")
    studio.play(2.5, frames=FRAMES[:1])
    assert studio.recorder.advice == "" and studio.recorder.notes == [guidance.NO_MOVE]
    studio.press("k")
    assert studio.folder.rows[0].notes == guidance.NO_MOVE


def test_every_state_is_drawn_at_every_size(make):
    studio, seen = make(signs=["مرحبا" * 30]), set()

    def draw():
        for size in ((320, 240), (960, 540), (700, 900)):
            before = FRAMES[0].copy()
            canvas = record_overlay.draw_session(studio.recorder, FRAMES[0], size, True, 2)
            assert canvas.shape == (size[1], size[0], 3) and np.array_equal(FRAMES[0], before)
        seen.add(studio.recorder.state)

    draw()
    studio.write("x" * 200)
    draw()
    studio.press("1\r")
    draw()
    studio.write("")
    draw()
    studio.press(" ")
    draw()
    studio.play(1.2)
    draw()
    studio.play(1.5)
    draw()
    studio.press("k")
    for _ in range(3):
        studio.take()
    draw()
    studio.press("n")
    draw()
    assert seen == set(record_overlay.KEYS) and seen >= {recorder.CHOOSE, recorder.SIGN}


class Files:
    """A source of several files, whose frames come as soon as they are asked for."""

    ended = False

    def __init__(self):
        self.playing = 0

    def arrived(self, wait: float) -> list:
        return []

    def play(self, number: int) -> None:
        self.playing = number

    def restart(self) -> None:
        pass


def test_the_file_of_a_take_that_is_not_kept_is_offered_again(make):
    studio, source = make(**SAID, signs=["Hello"]), Files()
    session = Session(studio.recorder, source)

    def playing_after(key: str) -> int:
        studio.take(key)
        session.step()
        return source.playing

    assert [playing_after(key) for key in "tktk"] == [0, 1, 1, 2]
    studio.press("u")
    session.step()
    assert source.playing == 1, "so is that of a take that is taken back"
