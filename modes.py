"""The three ways to sign to the live demo: after a countdown, hands-free, and continuously; imported, never run.

    mode = Countdown(recogniser, worker)
    mode.frame(frame, seconds)          each frame of the source
    mode.tick()                         often: time passes, answers arrive
    mode.state, mode.answer             what the window shows

They know neither window nor source. What takes long is done in `worker`, so that the picture goes on moving.
"""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from command import Problem

import numpy as np

import motion
from continuous import Reporter, Window
from machine import COUNTDOWN, RECORDING, TRANSLATING, Machine
from timing import Timings, step_back


@dataclass(frozen=True)
class Said:
    """A line of the session's history: the sign's name, and whether it was sure enough for an answer."""

    name: str
    known: bool


class Mode:
    """What the three share. `answer` is the last one, `latency` the seconds from its last frame to it."""

    name = ""

    def __init__(self, recogniser, worker: ThreadPoolExecutor, clock: Callable[[], float] = time.monotonic):
        self.recogniser, self.worker, self.clock = recogniser, worker, clock
        self.state, self.since, self.message = "", clock(), ""
        self.session = None
        self.answer, self.latency, self.rate = None, 0.0, 0.0
        self.history: list[Said] = []
        self.timings = Timings()
        self.left = self.progress = self.level = 0.0
        self.detector: motion.Detector | None = None
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

    def frame(self, frame, seconds: float) -> None:
        raise NotImplementedError

    def start(self) -> None:
        """The space bar."""

    def settle(self) -> None:
        """Wait for an answer that is on its way: the networks are for one at a time."""
        if self._pending:
            wait([self._pending])
        self.tick()

    def close(self) -> None:
        """Nothing more will come."""

    def ended(self) -> None:
        """The source has no more frames."""

    def tick(self) -> None:
        if self._pending and self._pending.done():
            pending, self._pending = self._pending, None
            try:
                self.answered(pending.result())
            except Problem as problem:
                self.failed(str(problem))

    def answered(self, answer) -> None:
        self.answer, self.latency = answer, self.clock() - self._last
        self.timings.add("last frame to answer", self.latency)
        self.timings.update(self.session.timings)
        self.say(answer.ranked[0][0], answer.known)

    def say(self, label: str, known: bool) -> None:
        """Into the history."""
        self.history.append(Said(self.recogniser.name(label), known))

    def watch(self, frame, seconds: float) -> str | None:
        """What the detector says of a frame, and how much moves, for the screen."""
        event = self.detector.push(frame, seconds)
        self.level = min(1.0, self.detector.level / (4 * self.detector.needed))
        self.progress = self.detector.progress
        if event == "learnt":
            self.enter("ready")
        return event

    def failed(self, message: str) -> None:
        self.message = message


class Countdown(Mode):
    """The prototype's way: the space bar, a countdown, a recording of fixed length."""

    name = "countdown"

    def __init__(self, recogniser, worker, countdown: float = 3.0, seconds: float = 5.0, clock=time.monotonic):
        super().__init__(recogniser, worker, clock)
        self.machine = Machine(countdown, seconds, clock)
        self._follow()

    def _follow(self) -> None:
        machine = self.machine
        if machine.state != self.state:
            self.state, self.since = machine.state, machine.since
        self.left, self.progress, self.message = machine.left, machine.progress, machine.message
        self.rate = machine.rate

    def start(self) -> None:
        self.machine.start()
        self._follow()

    def frame(self, frame, seconds: float) -> None:
        if self.machine.frame(seconds):
            self.session.push(frame, seconds)
            self._last = self.clock()
        self._translate()

    def ended(self) -> None:
        self.machine.ended()
        self._translate()

    def _translate(self) -> None:
        if self.machine.state == TRANSLATING and self._pending is None:
            self._pending = self.worker.submit(self.session.result)
        self._follow()

    def tick(self) -> None:
        before = self.machine.state
        self.machine.tick()
        if before == COUNTDOWN and self.machine.state == RECORDING:
            self.session = self.recogniser.session(self.machine.seconds)
        super().tick()
        self._follow()

    def answered(self, answer) -> None:
        super().answered(answer)
        self.machine.answered(answer)

    def failed(self, message: str) -> None:
        self.machine.failed(message)


class HandsFree(Mode):
    """Movement begins and ends a sign; what came just before it belongs to it."""

    name = "hands-free"
    BEFORE = 0.5  # seconds from before the first movement
    AFTER = 0.25  # seconds after the last
    LONGEST = 12.0  # seconds; whoever moves on gets an answer all the same
    SHORTEST = 0.4  # seconds of movement; shorter is somebody scratching

    def __init__(self, recogniser, worker, clock=time.monotonic):
        super().__init__(recogniser, worker, clock)
        self.restart()

    def restart(self) -> None:
        """Learn the rest pose anew."""
        self.detector, self.session = motion.Detector(), None
        self._before: deque = deque()
        self._later: list = []  # frames since the last movement, which belong to the sign only if it goes on
        self._began = 0.0
        self.enter("learning")

    def start(self) -> None:
        if self.state in ("learning", "ready"):
            self.restart()

    def frame(self, frame, seconds: float) -> None:
        event = self.watch(frame, seconds)
        if self.state == "recording":
            self._record(frame, seconds, event)
        elif self.state == "ready":
            self._wait(frame, seconds, event)

    def _wait(self, frame, seconds: float, event: str | None) -> None:
        self._before.append((frame, seconds))
        while self._before[0][1] < seconds - self.BEFORE - motion.BEGIN:
            self._before.popleft()
        if event == "began":
            self.session, self._began = self.recogniser.session(), seconds
            for earlier in self._before:
                self.session.push(*earlier)
            self._before.clear()
            self._later.clear()
            self.message, self.answer = "", None  # what is on the screen is not of this sign
            self.enter("recording")

    def _record(self, frame, seconds: float, event: str | None) -> None:
        self._later.append((frame, seconds))
        kept = [one for one in self._later if one[1] <= self.detector.moved + self.AFTER]
        for one in kept:
            self.session.push(*one)
        self._later = self._later[len(kept) :]
        over = event == "ended" or seconds - self._began > self.LONGEST
        if not over:
            return
        if self.detector.moved - self._began + motion.BEGIN < self.SHORTEST:
            self.enter("ready")
            return
        self._last = self.clock()
        self._pending = self.worker.submit(self.session.result)
        self.enter("translating")

    def answered(self, answer) -> None:
        super().answered(answer)
        self.enter("ready")

    def failed(self, message: str) -> None:
        super().failed(message)
        self.enter("ready")


class Continuous(Mode):
    """A window slides over the picture; it is named several times a second, each sign reported once."""

    name = "continuous"

    def __init__(self, recogniser, worker, seconds: float = 5.0, clock=time.monotonic):
        super().__init__(recogniser, worker, clock)
        self.seconds = seconds
        self.reporter = Reporter(recogniser, seconds / 2)
        self.following = None
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="window", initializer=step_back)
        self.restart()

    def restart(self) -> None:
        """Learn the rest pose anew."""
        bundle = self.recogniser.bundle
        self.detector = motion.Detector()
        self.window = Window(bundle.spec.stored, bundle.regions, self.seconds, self.timings)
        self.reporter.reset()
        self._done, self._moment, self._begin = 0, 0.0, True
        self._pushing: deque[Future] = deque()
        self.enter("learning")

    def start(self) -> None:
        if self.state == "ready":
            self.restart()

    def close(self) -> None:
        self._keeper.shutdown(wait=False, cancel_futures=True)

    def frame(self, frame, seconds: float) -> None:
        self.watch(frame, seconds)
        self._pushing.append(self._keeper.submit(self.window.push, frame, seconds))
        while self._pushing and self._pushing[0].done():
            self._pushing.popleft().result()
        self._moment = seconds

    @property
    def field(self):
        return self.window.newest

    def tick(self) -> None:
        super().tick()
        if self.state == "ready" and self._pending is None and self.window.count > self._done:
            self._done, self._last = self.window.count, self.clock()
            moved = self._moment - self.detector.moved < self.seconds / 2
            if moved:
                self._pending = self.worker.submit(self._look, self._moment)
            else:
                self.reporter.reset()
                self.answer, self._begin = None, True

    def _look(self, moment: float):
        """In the worker: what the window shows now, or None while it fills."""
        timings = Timings()
        answer = (self._go_on if self.recogniser.endless else self._anew)(timings)
        self.timings.update(timings)
        return (answer, moment) if answer else None

    def _anew(self, timings: Timings):
        """The whole window."""
        clip = self._keeper.submit(self.window.clip).result()
        return self.recogniser.recognise(clip, timings) if clip else None

    def _go_on(self, timings: Timings):
        """What came since the last time; after a rest the next sign begins as a clip does."""
        begin, self._begin = self._begin, False
        images = self._keeper.submit(self.window.fresh, begin).result()
        if begin:
            self.following = self.recogniser.following(self.window.size)
        return self.following.push(images, timings) if images else None

    def answered(self, found) -> None:
        if found is None:
            return
        answer, moment = found
        recogniser, reporter, fused = self.recogniser, self.reporter, dict(answer.ranked)
        self.latency = self.clock() - self._last
        self.timings.add("last frame to answer", self.latency)
        label = reporter.push(np.array([fused[one] for one in recogniser.labels]), moment)
        self.answer = replace(answer, ranked=recogniser.rank(reporter.probabilities), confidence=reporter.confidence,
                              known=reporter.confidence >= reporter.needed)  # fmt: skip
        if label is not None:
            self.say(label, True)
