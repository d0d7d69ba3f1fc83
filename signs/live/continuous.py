"""Signs in an endless picture: a window slides over it, and each sign is reported once.

    reporter = Reporter(recogniser, gap=2.5)
    label = reporter.push(probabilities, moment)   a sign that is new, or None

`Continuous` is the mode. The rest pose is learnt first (motion.py, point_motion.py); at rest nothing is recognised.
What a movement was is said at its end: where points are seen, by a window that begins with it (sliding_window.py); of
pictures, by all of its frames, as hands-free signs are named, for a window that holds rest as well, and fewer frames
of the sign, named every other one wrongly. A movement that is longer than the window is several signs.
"""

import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from signs.clips import motion
from signs.inference import timing
from signs.inference.timing import Timings
from signs.live.hands_free import HandsFree
from signs.live.modes import Mode
from signs.live.sliding_window import SlidingWindow

import numpy as np

SMOOTH = 0.3  # seconds after which an answer counts 1/e in the mean
PEAK = 0.5  # seconds for which an answer has to stay the surest: while a sign enters the window, others are guessed
FIRST = 0.1  # seconds that the first answer after a rest stands for
FADED = 0.6  # share of the needed confidence below which a sign is over and may come again
UNSURE = 0.5  # needed confidence where the bundle has no threshold
BACKLOG = 32  # frames that may wait for their flow; then the picture waits, and a camera's frames are lost meanwhile


class Reporter:
    """Smooths the answers of a sliding window and reports each sign once, when it is surest.

    gap: seconds that the next sign takes at least; probabilities: (classes,), smoothed; calibrated: the same, as sure
    as they should be; confidence: the best one's of these.
    """

    def __init__(self, recogniser, gap: float):
        self.labels, self.calibration, self.gap = recogniser.labels, recogniser.calibration, gap
        self.none = {index for index, row in enumerate(recogniser.classes) if row.kind == "none"}
        threshold = self.calibration.threshold
        self.needed = UNSURE if threshold is None else max(threshold, 1.5 / len(self.labels))
        self.reset()

    def reset(self) -> None:
        """Nothing moves: the sign is over."""
        self.probabilities = self.calibrated = None
        self.confidence = 0.0
        self._moment, self._reported, self._surest = None, None, None

    def finish(self) -> str | None:
        """The movement is over -> the label of the sign that it was and that was not said yet, or None."""
        label = None
        if self.probabilities is not None and self._reported is None:
            best = int(self.probabilities.argmax())
            label = self.labels[best] if best not in self.none and self.confidence >= self.needed else None
        self.reset()
        return label

    def push(self, probabilities: np.ndarray, moment: float, waits: bool = False) -> str | None:
        """(classes,) probabilities of the window that ends at `moment` seconds -> the label of a new sign, or None.

        waits: nothing is said yet; `finish` will come.
        """
        since = FIRST if self._moment is None else moment - self._moment
        share = 1 - np.exp(-since / SMOOTH)
        old = np.full(len(self.labels), 1 / len(self.labels)) if self.probabilities is None else self.probabilities
        self.probabilities, self._moment = old + share * (probabilities - old), moment
        after = self.calibrated = self.calibration.calibrated(self.probabilities)
        best = int(after.argmax())
        self.confidence = float(after[best])
        if self._reported and moment - self._reported[1] > self.gap and after[self._reported[0]] < FADED * self.needed:
            self._reported = None
        # The sign that was just reported, or too soon for another.
        again = self._reported and (best == self._reported[0] or moment - self._reported[1] <= self.gap)
        sign = best not in self.none and self.confidence >= self.needed and not again
        if sign and (self._surest is None or self.confidence > self._surest[1]):
            self._surest = best, self.confidence, moment
        if waits or self._surest is None or moment - self._surest[2] < PEAK:
            return None
        self._reported, self._surest = (self._surest[0], moment), None
        return self.labels[self._reported[0]]


class Continuous(Mode):
    """A window slides over the picture; it is named several times a second, each sign reported once."""

    name = "continuous"

    def __init__(self, recogniser, worker, seconds: float = 5.0, clock=time.monotonic, tracker=None):
        super().__init__(recogniser, worker, clock, tracker)
        self.seconds = seconds
        self.reporter = Reporter(recogniser, seconds / 2)
        self.following = None
        self._movement = None if tracker or recogniser.endless else HandsFree(recogniser, worker, clock)
        self._heard = 0  # of its history
        self._aside = False  # the movement in hand led to a key
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="window", initializer=timing.step_back)
        self.restart()

    def restart(self) -> None:
        bundle = self.recogniser.bundle
        self.watch_anew()
        if self._movement:
            self._movement.restart()
        self.window = SlidingWindow(bundle.spec.stored, bundle.regions, self.seconds, self.timings)
        self.reporter.reset()
        self._done, self._moment, self._begin, self._since = 0, 0.0, True, -np.inf
        self._pushing: deque[Future] = deque()
        self.enter("learning")

    def start(self) -> None:
        if self.state == "ready":
            self.restart()

    def set_aside(self) -> None:
        self._aside = True
        if self._movement:
            self._movement.set_aside()

    def settle(self) -> None:
        if self._movement:
            self._movement.settle()
        super().settle()

    def close(self) -> None:
        self._keeper.shutdown(wait=False, cancel_futures=True)

    def frame(self, frame, seconds: float) -> None:
        self.look(frame, seconds)

    def take(self, frame, seconds: float, found) -> None:
        event = self.watch(frame, seconds, found)
        if self._movement:
            self._movement.frame(frame, seconds)
        if event == "began":
            self._since, self._aside = seconds - motion.BEFORE, False
        elif event == "ended" and not self._movement:
            self._finish(self.detector.moved - self._since - motion.BEFORE + motion.BEGIN)
        small = self.window.stored.resize(frame)
        self._pushing.append(self._keeper.submit(self.window.push, small, seconds, found and found.result()))
        while self._pushing and (self._pushing[0].done() or len(self._pushing) > BACKLOG):
            self._pushing.popleft().result()
        self._moment = seconds

    def _finish(self, lasted: float) -> None:
        """A movement of so many seconds is over; a short one was no sign."""
        label = self.reporter.finish()
        if label and not self._aside and lasted >= motion.SHORTEST:
            self.given, self.span = self.answer, (self._since, self._moment)
            self.remember(label, True)

    @property
    def field(self):
        return self.window.newest

    def tick(self) -> None:
        super().tick()
        if self._movement:
            self._movement.tick()
            self._hear_movement()
        if self.state == "ready" and self._pending is None and self.window.count > self._done:
            self._done, self._last = self.window.count, self.clock()
            if self.detector.state == "moving" and (not self._movement or self._is_long(self._moment)):
                self._pending = self.worker.submit(self._look, self._moment)
            else:
                self.reporter.reset()
                self._begin = True
                if self._moment - self.detector.moved >= self.seconds / 2:
                    self.answer = None

    def _is_long(self, moment: float) -> bool:
        """Whether the movement is longer than the window at that moment."""
        return moment - self._since > self.seconds

    def _hear_movement(self) -> None:
        """Say what a movement was, once it is over and named."""
        for line in self._movement.history[self._heard :]:
            self._heard += 1
            first, last = self.span = self._movement.span
            if line.known and last - first <= self.seconds + motion.BEFORE:
                self.answer = self.given = self._movement.given
                self.latency = self._movement.latency
                self.timings.add("last frame to answer", self.latency)
                self.remember(line.label, True)

    def _look(self, moment: float):
        """In the worker: (answer of what the window shows now, moment), or None while it fills."""
        timings = Timings()
        if self.recogniser.endless:
            answer = self._go_on(timings)
        else:
            clip = self._keeper.submit(self.window.clip, self._since if self.tracker else -np.inf).result()
            answer = self.recogniser.recognise(clip, timings) if clip else None
        self.timings.update(timings)
        return (answer, moment) if answer else None

    def _go_on(self, timings: Timings):
        """The answer after what came since the last time; after a rest the next sign begins as a clip does."""
        begin, self._begin = self._begin, False
        images = self._keeper.submit(self.window.fresh, begin).result()
        if begin:
            self.following = self.recogniser.following(self.window.size)
        return self.following.push(images, timings) if images else None

    def answered(self, looked) -> None:
        if looked is None or self._aside:
            return
        answer, moment = looked
        recogniser, reporter = self.recogniser, self.reporter
        self.latency = self.clock() - self._last
        self.timings.add("last frame to answer", self.latency)
        waits = not self._is_long(moment)  # the movement is in the window
        new = reporter.push(answer.fused, moment, waits)
        ranked, known = recogniser.rank(reporter.calibrated), reporter.confidence >= reporter.needed
        self.answer = replace(answer, ranked=ranked, known=known)
        if new is not None:
            self.given, self.span = self.answer, (max(self._since, moment - self.seconds), moment)
            self.remember(new, True)
