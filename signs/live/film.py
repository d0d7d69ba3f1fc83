"""The last seconds that a camera saw, so that a sign that was answered can be kept as a video.

    film = Film(seconds=14.0)
    film.add(frame, seconds)                  each frame, with the time that the demo gives it
    strip = film.between(first, last)         what came then; it stays when the film goes on
    content = strip.video()                   the bytes of an MP4, as record.py writes a take

Frames are coded as JPEG in a thread: fourteen seconds of 640x480 at 30 frames/s are some 40 MB instead of 390.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from signs.clips.video_writer import VideoWriter
from signs.inference import timing

import cv2
import numpy as np

QUALITY = 97  # of the JPEG: what the video's own coding loses is more
WAITING = 30  # frames that may wait to be coded, as large as they came; beyond, frames are left out


def coded(frame: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> its JPEG, (N,) uint8."""
    return cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]


@dataclass(frozen=True)
class Strip:
    """Frames and their times, seconds on the demo's clock."""

    frames: tuple[tuple[Future, float], ...]

    def video(self) -> bytes:
        """The bytes of an MP4; raises Problem where no frame is in it."""
        writer = VideoWriter()
        for jpeg, seconds in self.frames:
            writer.add(cv2.cvtColor(cv2.imdecode(jpeg.result(), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), seconds)
        return writer.finish()


class Film:
    """seconds: how much is remembered."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._frames: deque[tuple[Future, float]] = deque()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="film", initializer=timing.step_back)

    def add(self, frame: np.ndarray, seconds: float) -> None:
        """A frame, (H, W, 3) uint8 RGB, and its time, later than the one before."""
        if len(self._frames) >= WAITING and not self._frames[-WAITING][0].done():
            return  # too large or too many for this machine: the film has fewer, and the memory holds
        self._frames.append((self._worker.submit(coded, frame), seconds))
        while self._frames[0][1] < seconds - self.seconds:
            self._frames.popleft()

    def between(self, first: float, last: float) -> Strip:
        """The frames from one time to another, both among them."""
        return Strip(tuple(each for each in self._frames if first <= each[1] <= last))

    def close(self) -> None:
        self._worker.shutdown(wait=True, cancel_futures=True)
