"""Points found once a frame for the screen, the detector and the recording; no networks, no window."""

import time
from concurrent.futures import ThreadPoolExecutor, wait
from types import SimpleNamespace

from signs.clips import motion, posture
from signs.clips.dataset import Label
from signs.clips.points import Found
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.clips.video import iter_video
from signs.inference.bundle import Bundle, Stream
from signs.inference.recogniser import Recogniser
from signs.landmarks.stream import landmark_spec
from signs.live.continuous import Continuous
from signs.live.corrections import Corrections
from signs.live.countdown import Countdown
from signs.live.hands_free import HandsFree
from signs.live.sliding_window import SlidingWindow
from signs.live.tracking import MOST, Tracker
from signs.live.window import Screen

import numpy as np
import pytest

import fake_recogniser
import scene

STORED = StoredSpec("8", 64, landmark=landmark_spec())
FRAME = np.full((120, 160, 3), 60, np.uint8)
CLASSES = [Label("up", "up"), Label("still", "still", "none")]


class Drawn:
    """Stands in for LandmarkStream: a person whose hands go up and down during `spans`. Keeps what it saw."""

    def __init__(self, *spans, slow: float = 0.0):
        self.spans, self.slow, self.seen = spans, slow, []

    def __call__(self, stored):
        self.begun = getattr(self, "begun", 0) + 1
        return self

    def push(self, frame, seconds):
        time.sleep(self.slow)
        self.seen.append(seconds)
        up = sum(40 * np.sin((seconds - begin) * 6) ** 2 for begin, end in self.spans if begin <= seconds < end)
        body = scene.body_at(80, 50, wrist=up)
        return body, np.repeat(body[15:17, None], 21, axis=1)


@pytest.fixture
def tracked():
    """Spans in which hands move -> (tracker, what it saw)."""
    made = []

    def make(*spans, **how):
        drawn = Drawn(*spans, **how)
        made.append(Tracker(STORED, drawn))
        return made[-1], drawn

    yield make
    for tracker in made:
        tracker.close()


def play(mode, seconds: float, rate: int = 25) -> list[str]:
    """The mode fed by a file as fast as points are found; its states, each once."""
    states = []
    for number in range(int(seconds * rate)):
        mode.tracker.catch_up()
        mode.frame(FRAME, number / rate)
        wait(list(mode.tracker._waiting))
        mode.tick()
        mode.settle()
        if mode.state not in states[-1:]:
            states.append(mode.state)
    return states


def test_hands_free_each_frame_is_looked_at_once_and_its_points_are_recorded(tracked):
    tracker, drawn = tracked((4, 5.5), (8, 9.2))
    recogniser = fake_recogniser.Recogniser()
    with ThreadPoolExecutor(1) as worker:
        mode = HandsFree(recogniser, worker, tracker=tracker)
        states = play(mode, 12)
    assert [state for state in states if state != "translating"] == ["learning", *["ready", "recording"] * 2, "ready"]
    assert len(drawn.seen) == 12 * 25 == len(set(drawn.seen)) and len(recogniser.sessions) == 2
    for session, (begin, end) in zip(recogniser.sessions, ((4, 5.5), (8, 9.2)), strict=True):
        assert session.given and all(found.result().body.shape == (33, 4) for found in session.found)
        assert begin - motion.BEFORE - 0.3 < session.times[0] < begin and end - 0.2 < session.times[-1] < end + 1
        assert {min(picture.shape[:2]) for picture in session.frames} == {64}, "none is held larger than it is stored"


def test_a_recording_begins_as_a_file_does(tracked):
    """Whoever was followed before it is forgotten; times are the recording's; points come with the frames."""
    tracker, drawn = tracked()
    recogniser = fake_recogniser.Recogniser()
    with ThreadPoolExecutor(1) as worker:
        mode = Countdown(recogniser, worker, 0.0, 1.0, tracker=tracker)
        mode.frame(FRAME, 3.0)
        wait(list(tracker._waiting))
        assert tracker.newest.size == (120, 160), "to be shown before anything is recorded"
        mode.start()
        mode.tick()
        drawn.seen.clear()
        for number in range(30):
            tracker.catch_up()
            mode.frame(FRAME, 4 + number / 25)
        wait(list(tracker._waiting))
        mode.settle()
    assert drawn.begun == 2 and np.allclose(drawn.seen, np.arange(26) / 25)
    assert mode.state == "result" and all(recogniser.sessions[0].found)


def test_a_camera_that_is_too_quick_has_fewer_frames_looked_at(tracked):
    tracker, drawn = tracked(slow=0.05)
    found = [tracker.push(FRAME, number / 25) for number in range(MOST + 5)]
    assert sum(one is not None for one in found) <= MOST + 1
    tracker.catch_up()
    assert tracker.push(FRAME, 9.0), "of a file one waits"
    other, _ = tracked()
    assert [bool(other.push(FRAME, number / 60)) for number in range(6)] == [True, False] * 3, "30 a second"


@pytest.fixture
def recogniser(tmp_path, monkeypatch):
    spec = ClipSpec(STORED, InputSpec(8, 64, 64))
    stream = Stream("landmark", "landmark", "landmark", {"input_shape": [8, posture.VALUES], "classes": 2}, {})
    someone = Recogniser(Bundle(tmp_path, spec, CLASSES, [stream], "mean", {}), {"landmark": None})

    def recognise(clip, timings):
        points = clip.images["landmark"]
        spans.append((len(points.times), float(points.times[-1])))
        up = float(np.ptp(points.body[-20:, 15, 1]) > 20)
        return someone.conclude({"landmark": np.array([4 * up, 2.0])}, {}, clip.images["rgb"], None)

    spans = someone.spans = []
    monkeypatch.setattr(someone, "recognise", recognise)
    return someone


def test_continuous_names_the_points_of_the_window(tracked, recogniser):
    tracker, drawn = tracked((5, 7))
    with ThreadPoolExecutor(1) as worker:
        mode = Continuous(recogniser, worker, seconds=2.0, tracker=tracker)
        assert play(mode, 12) == ["learning", "ready"]
        mode.close()
    assert [said.name for said in mode.history] == ["up"] and mode.answer is None
    assert len(drawn.seen) == 12 * 25 == len(set(drawn.seen))
    spans = [span for _, span in recogniser.spans]
    assert spans == sorted(spans) and spans[0] < 0.8 and max(spans) == pytest.approx(2, abs=0.05)


def test_continuous_says_a_short_sign_at_its_end(tracked, recogniser):
    tracker, _ = tracked((5, 5.9), (8, 8.9))
    with ThreadPoolExecutor(1) as worker:
        mode = Continuous(recogniser, worker, seconds=2.0, tracker=tracker)
        play(mode, 7)
        mode.close()
    assert [said.name for said in mode.history] == ["up"]


def test_a_window_gives_the_points_of_its_seconds():
    window = SlidingWindow(STORED, (), 2.0)
    stream = Drawn((0, 9))
    for number in range(100):
        body, hands = stream.push(FRAME, number / 25)
        window.push(FRAME, 10 + number / 25, None if number % 2 else Found(body, hands, (120, 160)))
    points = window.clip().images["landmark"]
    assert len(points.times) == 25 and points.times[0] == 0 and points.times[-1] == pytest.approx(1.92)
    np.testing.assert_array_equal(points.body[-1], stream.push(FRAME, 98 / 25)[0])
    assert len(window.clip(since=13.0).images["landmark"].times) == 12


def test_the_skeleton_is_drawn_over_the_picture_and_mirrored_with_it(tracked):
    tracker, _ = tracked()
    tracker.push(FRAME, 0.0).result()
    with ThreadPoolExecutor(1) as worker:
        mode = Countdown(fake_recogniser.Recogniser(), worker, tracker=tracker)
        shown = {"mode": mode, "recogniser": mode.recogniser, "corrections": Corrections()}
        screen = Screen(SimpleNamespace(**shown, picture=FRAME, moment=0.0))
        mirrored = screen.draw((640, 480))
        screen.mirror = False
        straight = screen.draw((640, 480))
        tracker.newest = None
        plain = screen.draw((640, 480))
    part = slice(60, 380)
    assert (FRAME == 60).all(), "what the network sees is not drawn on"
    assert np.abs(straight[part].astype(int) - plain[part]).max() > 50
    assert np.abs(straight[part].astype(int) - mirrored[part]).max() > 50, "the left hand's colour"


def test_with_the_real_networks_every_frame_of_a_clip_is_followed(shared):
    scene.real_networks()
    tracker = Tracker(STORED)
    found = []
    for frame, seconds in iter_video(shared("clips/webcam_hello.mp4")):
        tracker.catch_up()
        found.append(tracker.push(frame, seconds))
        if len(found) == 12:
            break
    assert all(not np.isnan(one.result().body[11, 0]) for one in found)
    tracker.close()
