"""The browser's camera as a source of the demo: what arrives over the network, decoded in the session's own thread.

source = FrameSource()
source.push(message)                from the server's loop; the oldest goes where too many wait
source.arrived(wait)                as of videocapture.py's sources
"""

import threading
from collections import deque

from signs.clips.clock import Clock
from signs.command import Problem
from signs.web import picture

import numpy as np

WAITING = 4  # frames that may wait to be decoded; beyond, the oldest are lost
USUAL_RATE = 30.0  # frames/s, by which a time that goes back is mended
LONGEST_GAP = 10.0  # seconds; a longer one is a clock that jumps


class FrameSource:
    """taken: frames that were decoded or lost so far, for the page to know how many are underway; faults: of them no
    picture."""

    drops, loops, ended = True, False, False

    def __init__(self):
        self.taken, self.faults = 0, 0
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._changed = threading.Condition()
        self._clock = Clock(USUAL_RATE, LONGEST_GAP)

    def push(self, message: bytes) -> None:
        """A frame as the page sends it; raises Problem where it is none."""
        seconds = picture.read_stamp(message)
        with self._changed:
            if len(self._waiting) >= WAITING:
                self._waiting.popleft()
                self.taken += 1
            self._waiting.append((message, seconds))
            self._changed.notify()

    def wake(self) -> None:
        """Let `arrived` return without a frame."""
        with self._changed:
            self._changed.notify()

    def arrived(self, seconds: float = 0.0) -> list[tuple[np.ndarray, float]]:
        """The next frame, (H, W, 3) uint8 RGB, and its time from 0 on; waits up to `seconds` for it."""
        with self._changed:
            if not self._waiting:
                self._changed.wait(seconds)
            if not self._waiting:
                return []
            message, stamp = self._waiting.popleft()
            self.taken += 1
        try:
            return [(picture.decode(message), self._clock.read(stamp))]
        except Problem:
            self.faults += 1
            return []

    def restart(self) -> None:
        """A recording begins: a camera goes on."""
