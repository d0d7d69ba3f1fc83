"""What the three ways to sign share: countdown.py, hands_free.py and continuous.py are modes.

    mode = Countdown(recogniser, worker)
    mode.frame(frame, seconds)          each frame of the source
    mode.tick()                         often: time passes, answers arrive
    mode.start()                        the space bar
    mode.state, mode.answer             what the window shows

A mode knows neither window nor source. What takes long runs in `worker`, so that the picture goes on moving. Where the
model sees points of body and hands, a tracker finds them, and a frame is taken when its points are there.
"""

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from signs.clips.motion import Detector
from signs.command import Problem
from signs.inference.timing import Timings
from signs.live.point_motion import PointDetector
from signs.live.tracking import Tracker

import numpy as np

SCALE = 4  # times the movement that begins a sign, that the level shows
RESTLESS = "you move: hold still, it begins again"


class HistoryLine(NamedTuple):
    """A sign of this session: its label and name, and whether it was sure enough for an answer."""

    label: str
    name: str
    known: bool


class Mode:
    """What the three share. `answer` is the last one, `latency` the seconds from its last frame to it; `tracker` is
    there where the model sees points. `given` is the last answer that was said, `span` the times of the first and the
    last frame of its sign, seconds."""

    name = ""
    left = progress = level = rate = 0.0

    def __init__(self, recogniser, worker: ThreadPoolExecutor, clock=time.monotonic, tracker: Tracker | None = None):
        self.recogniser, self.worker, self.clock, self.tracker = recogniser, worker, clock, tracker
        self.state, self.since, self.message = "", clock(), ""
        self.session = None
        self.answer, self.latency = None, 0.0
        self.given, self.span = None, (0.0, 0.0)
        self.history: list[HistoryLine] = []
        self.timings = Timings()
        self.detector: Detector | PointDetector | None = None
        self._looking: deque[tuple[np.ndarray, float, Future | None]] = deque()  # frames whose points are looked for
        self._pending: Future | None = None
        self._last = 0.0  # when the last frame of the sign arrived

    @property
    def elapsed(self) -> float:
        """Seconds since the state began."""
        return self.clock() - self.since

    @property
    def trigger(self) -> float:
        """Where on the scale of `level` a sign begins; 0 where movement begins none."""
        return 1 / SCALE if self.detector else 0.0

    @property
    def field(self):
        """The newest flow field, (H, W, 2) float32 pixels, or None."""
        return self.session.recording.newest if self.session else None

    def enter(self, state: str) -> None:
        self.state, self.since = state, self.clock()

    def start(self) -> None:
        """The space bar."""

    def restart(self) -> None:
        """The mode is chosen: learn the rest pose anew, where it has one."""

    def frame(self, frame, seconds: float) -> None:
        """A frame of the source, (H, W, 3) uint8 RGB, and its time."""
        raise NotImplementedError

    def ended(self) -> None:
        """The source has no more frames."""

    def tick(self) -> None:
        """Time passes; points of a frame may be there, and an answer."""
        self._take_looked()
        if self._pending and self._pending.done():
            pending, self._pending = self._pending, None
            try:
                self.answered(pending.result())
            except Problem as problem:
                self.failed(str(problem))

    def settle(self) -> None:
        """Wait for an answer that is on its way: the networks work for one mode at a time."""
        if self._pending:
            wait([self._pending])
        self.tick()

    def close(self) -> None:
        """Nothing more will come."""

    def answered(self, answer) -> None:
        self.answer = self.given = answer
        self.latency = self.clock() - self._last
        self.timings.add("last frame to answer", self.latency)
        self.timings.update(self.session.timings)
        best = answer.ranked[0][0]
        if all(row.label != best or row.kind == "gesture" for row in self.recogniser.classes):  # else nothing was said
            self.remember(best, answer.known)

    def failed(self, message: str) -> None:
        self.message = message

    def remember(self, label: str, known: bool) -> None:
        """Add a sign to the history."""
        self.history.append(HistoryLine(label, self.recogniser.name(label), known))

    def set_aside(self) -> None:
        """A key was pressed: the movement that led to it is no sign."""

    def watch_anew(self) -> None:
        """Learn the rest pose anew."""
        self._looking.clear()
        self.detector = PointDetector() if self.tracker else Detector()

    def look(self, frame, seconds: float) -> None:
        """`take` a frame: at once, or when its points are there."""
        if self.tracker is None:
            self.take(frame, seconds, None)
            return
        small = self.recogniser.bundle.spec.stored.resize(frame)  # those that wait are not held as large as they came
        self._looking.append((small, seconds, self.tracker.push(frame, seconds)))
        self._take_looked()

    def take(self, frame, seconds: float, found: Future | None) -> None:
        """A frame and its points, which are there."""

    def _take_looked(self) -> None:
        while self._looking and (self._looking[0][2] is None or self._looking[0][2].done()):
            self.take(*self._looking.popleft())

    def watch(self, frame, seconds: float, found: Future | None) -> str | None:
        """The detector's event of a frame; keeps how much moves, for the screen."""
        if self.tracker and found is None:
            return None
        event = self.detector.push(found.result() if self.tracker else frame, seconds)
        self.level = min(1.0, self.detector.level / (SCALE * self.detector.needed))
        self.progress = self.detector.progress
        if self.detector.state == "learning":
            self.message = RESTLESS if self.detector.restless else ""
        if event == "learnt":
            self.message = ""
            self.enter("ready")
        return event
