"""What the three ways to sign share: countdown.py, hands_free.py and continuous.py are modes.

    mode = Countdown(recogniser, worker)
    mode.frame(frame, seconds)          each frame of the source
    mode.tick()                         often: time passes, answers arrive
    mode.start()                        the space bar
    mode.state, mode.answer             what the window shows

A mode knows neither window nor source. What takes long runs in `worker`, so that the picture goes on moving.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import NamedTuple

from signs.command import Problem
from signs.inference.timing import Timings
from signs.live.motion import Detector


class HistoryLine(NamedTuple):
    """A sign of this session: its label and name, and whether it was sure enough for an answer."""

    label: str
    name: str
    known: bool


class Mode:
    """What the three share. `answer` is the last one, `latency` the seconds from its last frame to it."""

    name = ""
    left = progress = level = rate = 0.0

    def __init__(self, recogniser, worker: ThreadPoolExecutor, clock: Callable[[], float] = time.monotonic):
        self.recogniser, self.worker, self.clock = recogniser, worker, clock
        self.state, self.since, self.message = "", clock(), ""
        self.session = None
        self.answer, self.latency = None, 0.0
        self.history: list[HistoryLine] = []
        self.timings = Timings()
        self.detector: Detector | None = None
        self._pending: Future | None = None
        self._last = 0.0  # when the last frame of the sign arrived

    @property
    def elapsed(self) -> float:
        """Seconds since the state began."""
        return self.clock() - self.since

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
        """Time passes; an answer may be there."""
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
        self.answer, self.latency = answer, self.clock() - self._last
        self.timings.add("last frame to answer", self.latency)
        self.timings.update(self.session.timings)
        self.remember(answer.ranked[0][0], answer.known)

    def failed(self, message: str) -> None:
        self.message = message

    def remember(self, label: str, known: bool) -> None:
        """Add a sign to the history."""
        self.history.append(HistoryLine(label, self.recogniser.name(label), known))

    def watch(self, frame, seconds: float) -> str | None:
        """The detector's event of a frame; keeps how much moves, for the screen."""
        event = self.detector.push(frame, seconds)
        self.level = min(1.0, self.detector.level / (4 * self.detector.needed))
        self.progress = self.detector.progress
        if event == "learnt":
            self.enter("ready")
        return event
