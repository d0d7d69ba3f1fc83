"""What runs after space is pressed: a countdown, a recording of fixed length, the answer.

    mode = Countdown(recogniser, worker, countdown=3.0, seconds=5.0)
    mode.start()                        the space bar
    mode.frame(frame, seconds)          each frame of the source; those of the recording go to the recogniser
    mode.tick()                         often: time passes

`Machine` has the states and what leads from one to the next; it knows neither pictures nor networks. `Countdown` is the
mode that it drives.
"""

import time
from collections.abc import Callable

from signs.clips.spec import EQUAL
from signs.live.modes import Mode

IDLE, COUNTING, RECORDING, TRANSLATING, RESULT = "idle", "countdown", "recording", "translating", "result"


class Machine:
    """The states and what leads from one to the next.

    idle -start-> countdown -tick-> recording -frame, ended-> translating -answered-> result -start-> countdown;
    translating -failed-> idle. An event that means nothing in a state is ignored.
    """

    def __init__(self, countdown: float = 3.0, seconds: float = 5.0, clock: Callable[[], float] = time.monotonic):
        self.countdown, self.seconds, self.clock = countdown, seconds, clock
        self.message, self.answer, self.latency = "", None, 0.0
        self.frames, self.first, self.last = 0, 0.0, 0.0
        self._enter(IDLE)

    def _enter(self, state: str) -> None:
        self.state, self.since = state, self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds since the state began."""
        return self.clock() - self.since

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
            self._enter(COUNTING)

    def tick(self) -> None:
        """To be called often: time passes."""
        if self.state == COUNTING and self.elapsed >= self.countdown:
            self.frames, self.first, self.last = 0, 0.0, 0.0
            self._enter(RECORDING)

    def frame(self, seconds: float) -> bool:
        """Whether the frame with this time stamp belongs to the recording, whose length the stamps decide."""
        if self.state != RECORDING:
            return False
        if self.frames and seconds - self.first > self.seconds + EQUAL:  # a file's last stamp may be rounded up
            self._enter(TRANSLATING)
            return False
        self.first = self.first if self.frames else seconds
        self.frames, self.last = self.frames + 1, seconds
        return True

    def ended(self) -> None:
        """The source has no more frames."""
        if self.state == RECORDING:
            self._enter(TRANSLATING)

    def answered(self, answer) -> None:
        if self.state == TRANSLATING:
            self.answer, self.latency = answer, self.elapsed
            self._enter(RESULT)

    def failed(self, message: str) -> None:
        if self.state == TRANSLATING:
            self.message = message
            self._enter(IDLE)


class Countdown(Mode):
    """The prototype's way: space, a countdown, a recording of fixed length."""

    name = "countdown"

    def __init__(self, recogniser, worker, countdown: float = 3.0, seconds: float = 5.0, clock=time.monotonic):
        super().__init__(recogniser, worker, clock)
        self.machine = Machine(countdown, seconds, clock)
        self._follow()

    def _follow(self) -> None:
        """What the window reads of a mode is the machine's."""
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
        if before == COUNTING and self.machine.state == RECORDING:
            self.session = self.recogniser.session(self.machine.seconds)
        super().tick()
        self._follow()

    def answered(self, answer) -> None:
        super().answered(answer)
        self.machine.answered(answer)

    def failed(self, message: str) -> None:
        self.machine.failed(message)
