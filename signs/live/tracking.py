"""Body and hands of an endless picture, found once a frame for all who want them: detector, recording, screen.

    tracker = Tracker(stored)
    found = tracker.push(frame, seconds)     a future of Found, or None: this frame is not looked at
    tracker.newest                           the last Found, to be drawn
    tracker.restart()                        the next frame is the first of a clip

A thread of its own looks: some 20 ms a frame. A camera that sends more than it can look at gets fewer frames looked at;
of a file, `catch_up` waits.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait

from signs.clips.points import Found, Pace
from signs.clips.spec import StoredSpec
from signs.inference.recording import point_stream
from signs.inference.timing import Timings

import numpy as np

MOST = 3  # frames that may wait to be looked at: with more, points would lag behind the picture


class Tracker:
    """stored: of a bundle that sees points; stream: what finds them, for tests."""

    def __init__(self, stored: StoredSpec, stream=point_stream):
        self._stored, self._stream_of, self.timings = stored, stream, Timings()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="points")  # steps back behind nobody: all wait for it
        self._waiting: deque[Future] = deque()
        self.newest: Found | None = None
        self.restart()

    @property
    def notes(self) -> list[str]:
        """What was odd since the clip began, one line each."""
        return self._stream.notes

    def restart(self) -> None:
        """Forget who is followed, as at the beginning of a file."""
        for found in self._waiting:
            found.cancel()
        self._waiting.clear()
        self._stream = self._stream_of(self._stored)
        self._pace = Pace(self._stored.landmark.rate)

    def push(self, frame: np.ndarray, seconds: float) -> Future | None:
        """frame (H, W, 3) uint8 RGB, not mirrored and not written to any more; returns at once."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if not self._pace.takes(seconds) or len(self._waiting) >= MOST:
            return None
        self._waiting.append(self._worker.submit(self._look, self._stream, frame, self._pace.since(seconds)))
        return self._waiting[-1]

    def catch_up(self) -> None:
        """Wait until the next frame can be looked at."""
        if len(self._waiting) >= MOST:
            wait([self._waiting[0]])

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _look(self, stream, frame: np.ndarray, seconds: float) -> Found:
        with self.timings.measure("landmarks"):
            found = Found(*stream.push(frame, seconds), frame.shape[:2])
        if stream is self._stream:
            self.newest = found
        return found
