"""Hands-free signing: the rest pose is learnt for 3 s, then movement begins and ends a sign (motion.py; point_motion.py
where the model sees points).

`HandsFree(recogniser, worker)` goes learning -> ready -> recording -> translating -> ready while frames come. `restart`
learns the rest pose anew; so does the space bar.
"""

import time
from collections import deque

from signs.clips import motion
from signs.live.modes import Mode


class HandsFree(Mode):
    """Movement begins and ends a sign; what came just before and after it belongs to it."""

    name = "hands-free"
    LONGEST = 12.0  # seconds; whoever moves on gets an answer all the same

    def __init__(self, recogniser, worker, clock=time.monotonic, tracker=None):
        super().__init__(recogniser, worker, clock, tracker)
        self.restart()

    def restart(self) -> None:
        self.watch_anew()
        self.session = None
        self._before: deque = deque()
        self._later: deque = deque()  # frames after the last movement; they belong to the sign only if it goes on
        self._began = 0.0
        self.enter("learning")

    def start(self) -> None:
        if self.state in ("learning", "ready"):
            self.restart()

    def frame(self, frame, seconds: float) -> None:
        self.look(frame, seconds)

    def take(self, frame, seconds: float, found) -> None:
        event = self.watch(frame, seconds, found)
        if self.state in ("recording", "ready"):
            small = self.recogniser.bundle.spec.stored.resize(frame)  # a second of large pictures is a gigabyte
            (self._record if self.state == "recording" else self._wait)((small, seconds, found), event)

    def _wait(self, stamped: tuple, event: str | None) -> None:
        self._before.append(stamped)
        seconds = stamped[1]
        while self._before[0][1] < seconds - motion.BEFORE - motion.BEGIN:
            self._before.popleft()
        if event == "began":
            self.session, self._began = self.recogniser.session(given=self.tracker is not None), seconds
            self.span = (self._before[0][1], seconds)
            for stamped in self._before:
                self.session.push(*stamped)
            self._before.clear()
            self._later.clear()
            self.message, self.answer = "", None  # what is on the screen is not of this sign
            self.enter("recording")

    def _record(self, stamped: tuple, event: str | None) -> None:
        self._later.append(stamped)
        seconds = stamped[1]
        until = self.detector.moved + motion.AFTER
        while self._later and self._later[0][1] <= until:
            self.span = (self.span[0], self._later[0][1])
            self.session.push(*self._later.popleft())
        if event not in ("ended", "left") and seconds - self._began <= self.LONGEST:
            return
        if event == "left" or self.detector.moved - self._began + motion.BEGIN < motion.SHORTEST:
            self.enter("ready")
            return
        self._last = self.clock()
        self._pending = self.worker.submit(self.session.result)
        self.enter("translating")

    def set_aside(self) -> None:
        if self.state == "recording":
            self.enter("ready")

    def answered(self, answer) -> None:
        super().answered(answer)
        self.enter("ready")

    def failed(self, message: str) -> None:
        super().failed(message)
        self.enter("ready")
