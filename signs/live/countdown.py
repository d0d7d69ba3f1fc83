"""What runs after space is pressed: a countdown, a recording of fixed length, the answer.

`Countdown(recogniser, worker, countdown=3.0, seconds=5.0)` is fed as modes.py says; `start` is the space bar.
"""

import time

from signs.clips.spec import EQUAL
from signs.live.modes import Mode

IDLE, COUNTING, RECORDING, TRANSLATING, RESULT = "idle", "countdown", "recording", "translating", "result"


class Countdown(Mode):
    """The states and what leads from one to the next.

    idle -start-> countdown -tick-> recording -frame, ended-> translating -answered-> result -start-> countdown;
    countdown -start-> idle; translating -failed-> idle. An event that means nothing in a state is ignored.
    """

    name = "countdown"

    def __init__(
        self, recogniser, worker, countdown: float = 3.0, seconds: float = 5.0, clock=time.monotonic, tracker=None
    ):
        super().__init__(recogniser, worker, clock, tracker)
        self.countdown, self.seconds = countdown, seconds
        self.frames, self.first, self.last = 0, 0.0, 0.0  # of the recording: how many, and the stamps of its ends
        self.enter(IDLE)

    @property
    def rate(self) -> float:
        """Frames a second of the last recording, 0 where it had fewer than two frames."""
        return (self.frames - 1) / (self.last - self.first) if self.last > self.first else 0.0

    @property
    def left(self) -> float:
        """Seconds left of the countdown or the recording, else 0."""
        if self.state == COUNTING:
            return max(0.0, self.countdown - self.elapsed)
        return max(0.0, self.seconds - (self.last - self.first)) if self.state == RECORDING else 0.0

    @property
    def progress(self) -> float:
        """How much of the countdown or the recording is over, 0 to 1."""
        whole = {COUNTING: self.countdown, RECORDING: self.seconds}.get(self.state, 0.0)
        return 1 - self.left / whole if whole > 0 else 0.0

    def start(self) -> None:
        if self.state in (IDLE, RESULT):
            self.message = ""
            self.enter(COUNTING)
        elif self.state == COUNTING:
            self.enter(IDLE)

    def tick(self) -> None:
        if self.state == COUNTING and self.elapsed >= self.countdown:
            self.frames, self.first, self.last = 0, 0.0, 0.0
            self.session = self.recogniser.session(self.seconds, given=self.tracker is not None)
            if self.tracker:
                self.tracker.restart()  # as a file begins
            self.enter(RECORDING)
        super().tick()

    def frame(self, frame, seconds: float) -> None:
        """Whether a frame belongs to the recording is decided by its time stamp."""
        if self.state != RECORDING:
            if self.tracker and self.state in (IDLE, COUNTING):
                self.tracker.push(frame, seconds)  # to be seen on the screen
            return
        if self.frames and seconds - self.first > self.seconds + EQUAL:  # a file's last stamp may be rounded up
            self.ended()
            return
        self.first = self.first if self.frames else seconds
        self.frames, self.last = self.frames + 1, seconds
        self.session.push(frame, seconds, self.tracker and self.tracker.push(frame, seconds))
        self._last = self.clock()

    def ended(self) -> None:
        if self.state == RECORDING:
            self.enter(TRANSLATING)
            self._pending = self.worker.submit(self.session.result)

    def answered(self, answer) -> None:
        if self.state == TRANSLATING:
            self.span = (self.first, self.last)
            super().answered(answer)
            self.enter(RESULT)

    def failed(self, message: str) -> None:
        if self.state == TRANSLATING:
            super().failed(message)
            self.enter(IDLE)
