"""One take: frames in, the bytes of its video, a loop to look at, and what was odd about it out.

    take = Take(); take.add(frame, seconds, found); take.finish()
    take.content, take.pictures, take.notes(rests=False)

It is coded as it comes, so memory holds a megabyte of film and small pictures; nothing is on disc before it is kept.
"""

from concurrent.futures import Future

from signs.clips.spec import resize_short_side
from signs.clips.video_writer import VideoWriter
from signs.live.guidance import Watch

import numpy as np

LOOP_SIDE = 240  # pixels of the short side of the loop's pictures
LOOP_RATE = 15  # of them a second, at most
FEWEST, SHORTEST = 3, 0.25  # frames and seconds of a take; less was a finger that slipped


class Take:
    """first, last: times of its ends, seconds; frames: how many; pictures: of the loop, with their times."""

    def __init__(self):
        self.first = self.last = 0.0
        self.frames, self.content = 0, b""
        self.pictures: list[np.ndarray] = []
        self.times: list[float] = []
        self._writer, self._watch = VideoWriter(), Watch()
        self._looked: list[Future] = []

    @property
    def length(self) -> float:
        """Seconds from the first frame to the last."""
        return self.last - self.first

    @property
    def is_too_short(self) -> bool:
        return self.frames < FEWEST or self.length < SHORTEST

    def add(self, frame: np.ndarray, seconds: float, found: Future | None = None) -> None:
        """A frame, (H, W, 3) uint8 RGB, its time, and its points, which are on their way where they are looked for."""
        self.first = self.first if self.frames else seconds
        self.frames, self.last = self.frames + 1, seconds
        self._writer.add(frame, seconds)
        self._watch.frame(frame, seconds)
        if found:
            self._looked.append(found)
        if not self.times or seconds - self.first - self.times[-1] >= 0.99 / LOOP_RATE:
            self.pictures.append(resize_short_side(frame, LOOP_SIDE))
            self.times.append(seconds - self.first)

    def finish(self) -> None:
        """No frame comes any more: `content` is the whole file."""
        self.content = self._writer.finish()

    def notes(self, rests: bool = False) -> list[str]:
        """What was odd, one line each, as far as points are found by now; `rests` as Watch.notes."""
        there, self._looked = [each for each in self._looked if each.done()], [e for e in self._looked if not e.done()]
        for found in there:
            if not found.cancelled() and not found.exception():
                self._watch.points(found.result())
        return self._watch.notes(rests)

    def moment(self, elapsed: float) -> np.ndarray:
        """The loop's picture `elapsed` seconds after it began, again and again, with a short rest at its end."""
        turn = elapsed % (self.times[-1] + 0.4)
        return self.pictures[max(0, int(np.searchsorted(self.times, turn, side="right")) - 1)]
