"""The window without a screen: what keys do, when it closes, what it saves, and that no old picture is shown."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from signs.clips.video import read_video
from signs.command import Problem
from signs.live import window
from signs.live.window import Record, Screen

import numpy as np
import pytest

import fake_recogniser
import tiny
import videocapture
from videocapture import VideoSource


@pytest.fixture
def video(tmp_path) -> Path:
    return fake_recogniser.write_video(tmp_path / "clip.avi")


def code_of(key: str) -> int | None:
    return ord(key) if key else None


class FakeWindow:
    """Presses `keys` one after the other, then is closed by its user."""

    keys = []

    def __init__(self, full_screen, size):
        self.size, self.shown, self.waiting, self.closed, self.full_screen = (640, 400), [], list(self.keys), False, 0
        FakeWindow.last = self

    def show(self, canvas):
        self.shown.append(canvas)

    def code(self, seconds):
        time.sleep(seconds)
        if self.waiting and self.shown:
            return code_of(self.waiting.pop(0))
        self.closed = not self.waiting
        return None

    def click(self):
        return None

    def toggle_full_screen(self):
        self.full_screen += 1

    def close(self):
        self.was_closed = True


@pytest.mark.parametrize(
    ("keys", "state"), [([], "idle"), (["m", "f", " "], "countdown"), (["q"], "idle"), (["x", "", "q"], "idle")]
)
def test_closing_the_window_or_a_key_ends_it(video, monkeypatch, keys, state):
    monkeypatch.setattr(window, "Window", FakeWindow)
    monkeypatch.setattr(FakeWindow, "keys", keys)
    with ThreadPoolExecutor(1) as worker, videocapture.open_source(video=video, paced=True) as source:
        demo = fake_recogniser.demo_of(fake_recogniser.Recogniser(), source, worker, countdown=3)
        assert window.run_window(demo) == 0
    assert demo.mode.state == state and FakeWindow.last.was_closed and FakeWindow.last.full_screen == keys.count("f")
    assert FakeWindow.last.shown[0][150, 350].max() > 60 > FakeWindow.last.shown[0][150, 60].max(), "starts mirrored"


def test_hands_free_and_continuous_in_the_window(video, monkeypatch, capsys):
    """h and c change the way, space learns the rest pose anew, and both paint what they are at."""

    class Patient(FakeWindow):
        def code(self, seconds):
            time.sleep(seconds)
            if time.monotonic() < self.__dict__.setdefault("next", time.monotonic() + 0.2):
                return None
            self.next = time.monotonic() + 0.5
            self.states = [*self.__dict__.get("states", []), (demo.mode.name, demo.mode.state)]
            return code_of(self.waiting.pop(0) if self.waiting else "q")

    monkeypatch.setattr(window, "Window", Patient)
    monkeypatch.setattr(Patient, "keys", ["h", " ", "c", "c", "q"])
    with ThreadPoolExecutor(1) as worker, videocapture.open_source(video=video, paced=True) as source:
        demo = fake_recogniser.demo_of(fake_recogniser.Recogniser(), source, worker)
        assert window.run_window(demo) == 0
        demo.close()
    rest = "learning"
    assert FakeWindow.last.states == [
        ("countdown", "idle"),
        ("hands-free", rest),
        ("hands-free", rest),
        ("continuous", rest),
        ("countdown", "idle"),
    ]
    assert "sees 8 frames of a sign, however long it is" in capsys.readouterr().out


def test_the_window_is_saved_as_a_video(tmp_path):
    for name in ("session.mp4", "session.avi"):
        video = Record(tmp_path / name, (320, 240))
        until = time.monotonic() + 0.6
        while time.monotonic() < until:
            video.add(np.full((480, 640, 3), (250, 20, 20), np.uint8))
            time.sleep(0.02)
        video.close()
        frames, times = read_video(tmp_path / name)
        assert 10 <= len(frames) <= 16 and frames.shape[1:] == (240, 320, 3)
        assert frames[3].mean(axis=(0, 1)) == pytest.approx([250, 20, 20], abs=12)
    with pytest.raises(Problem, match="no video can be written there"):
        Record(tmp_path / "none" / "session.mp4", (320, 240))


def test_a_camera_that_stops_closes_the_window(monkeypatch):
    class Silent(VideoSource):
        drops, silence = True, 0.3

        def _read(self, stop):
            yield np.zeros((48, 64, 3), np.uint8), 1.0
            stop.wait()

    monkeypatch.setattr(window, "Window", FakeWindow)
    monkeypatch.setattr(FakeWindow, "keys", ["x"] * 1000)
    with ThreadPoolExecutor(1) as worker, pytest.raises(Problem, match="no picture"), Silent("camera 0") as source:
        window.run_window(fake_recogniser.demo_of(fake_recogniser.Recogniser(), source, worker))
    assert FakeWindow.last.was_closed


@pytest.mark.parametrize(("slow", "keys"), [([5, 12], 150), (range(99), 4)])
def test_a_picture_that_became_old_while_it_was_drawn_is_not_shown(monkeypatch, slow, keys):
    """And where every picture does, each second one is: the screen never stands still."""

    class Lively(VideoSource):
        drops = True

        def _read(self, stop):
            while not stop.wait(0.02):
                yield np.zeros((48, 64, 3), np.uint8), time.perf_counter()

    class Aged(FakeWindow):
        def show(self, canvas):
            super().show(canvas)
            ages.append(time.perf_counter() - demo.moment)

    def draw(self, size, real=Screen.draw):
        drawn.append(size)
        time.sleep(0.2 * (len(drawn) in slow))
        return real(self, size)

    ages, drawn = [], []
    monkeypatch.setattr(window, "Window", Aged)
    monkeypatch.setattr(Screen, "draw", draw)
    monkeypatch.setattr(FakeWindow, "keys", ["x"] * keys + ["q"])
    with ThreadPoolExecutor(1) as worker, Lively("camera 0") as source:
        demo = fake_recogniser.demo_of(fake_recogniser.Recogniser(), source, worker)
        window.run_window(demo)
    late = [age > 0.15 for age in ages]
    if keys == 4:
        assert all(late) and len(drawn) == pytest.approx(2 * len(ages), abs=1)
    else:
        assert not any(late) and len(drawn) >= len(ages) + 2


FULL = """
import pathlib, resource, sys
import numpy as np
from signs import command
from signs.live.window import Record
resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
video = Record(pathlib.Path(sys.argv[1]), (320, 240))
video.add(np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8))
sys.exit(command.run(video.close))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
@pytest.mark.parametrize("name", ["session.mp4", "session.avi"])
def test_a_recording_that_did_not_fit_on_the_disc_is_named(name, tmp_path):
    done = tiny.python("-c", FULL, tmp_path / name, PYTHONPATH=str(tiny.REPOSITORY))
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert f"{name}: could not be written whole" in done.stderr
