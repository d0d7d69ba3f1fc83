"""Times of a video's frames, from what its file says of each.

clock = Clock(rate=25.0)
seconds = clock.read(frame.time)        of each frame, in the order in which they are shown
"""

import math

JUMP_BACK = 0.5  # seconds; less is an error of one frame's time


class Clock:
    """Times from 0 on. One that is missing or goes back a little follows the one before at the file's rate (frames/s);
    one that goes back more, or on by more than `most_on` seconds, begins a part that follows in the same way.

    origin: the file's time at our 0, where the first frame that is read is not the file's first one. last: our time of
    the frame before."""

    def __init__(self, rate: float, most_on: float = math.inf, origin: float | None = None):
        self._step, self._most_on = 1 / rate, most_on
        self.origin = self._start = origin
        self.last = None

    def read(self, seconds: float | None) -> float:
        following = 0.0 if self.last is None else self.last + self._step
        if seconds is None:
            self.last = following
            return following
        if self._start is None or not -JUMP_BACK < seconds - self._start - following < self._most_on:
            self._start = seconds - following
        since = seconds - self._start
        self.last = following if self.last is not None and since <= self.last else since
        return self.last
