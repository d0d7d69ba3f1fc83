"""The last seconds of an endless picture, as a clip.

window = SlidingWindow(stored, {"signer"}, seconds=5.0)
window.push(frame, seconds)             each frame; the kept ones are coded and get their flow once
clip = window.clip()                    the last `seconds`, as Recording gives a clip; None at first
images = window.fresh()                 or what was kept since the last time, for networks that go on with it
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from signs.clips import motion
from signs.clips.points import Found, PointRecorder
from signs.clips.spec import EQUAL, StoredSpec
from signs.inference import recording
from signs.inference.recording import Coder, Kept, Recorded
from signs.inference.timing import Timings

import numpy as np


class SlidingWindow:
    """The last `seconds` of what was pushed, at the bundle's rate, or at the rate that makes its number of frames.

    regions: the parts of the picture that the networks see.
    """

    def __init__(self, stored: StoredSpec, regions: Iterable[str], seconds: float, timings: Timings | None = None):
        self.stored, self.timings, self._regions = stored, timings or Timings(), set(regions)
        rule = stored.frames
        if rule.isdigit():
            self.size = int(rule)
            self.step = seconds / max(1, self.size - 1)
        else:
            rate = int(rule.removesuffix("fps")) if rule.endswith("fps") else 30  # `all`: as most cameras have it
            self.size, self.step = max(2, round(seconds * rate)), 1 / rate
        self._coder = Coder(stored, self.timings)
        self._kept: deque[Kept] = deque(maxlen=self.size)
        self._last: list[tuple[int, np.ndarray, float]] = []  # the three newest frames, resized
        self._number, self._start, self._points = 0, None, 0
        self._found: deque[tuple[Found, float]] = deque()
        self.count, self._given = 0, 0  # frames kept so far, and those that `fresh` has had

    @property
    def newest(self) -> np.ndarray | None:
        """The latest flow field, (H, W, 2) float32 pixels, to be shown."""
        return self._kept[-1].field if self._kept else None

    def push(self, frame: np.ndarray, seconds: float, found: Found | None = None) -> int:
        """(H, W, 3) uint8 RGB and its time, later than the one before, and its points -> how many frames are now kept
        because of it."""
        if self._last and seconds <= self._last[-1][2]:
            return 0
        if found is not None:
            self._found.append((found, seconds))
        while self._found and self._found[0][1] < seconds - self.step * (self.size - 1) - EQUAL:
            self._found.popleft()
        with self.timings.measure("frames"):
            small = self.stored.resize(frame)
        self._last = [*self._last[-2:], (self._number, small, seconds)]
        self._number += 1
        before = self.count
        if self._start is None or seconds - self._point > self.step * self.size:  # after so long a gap nothing is left
            self._start, self._points = seconds, 0
        newest = self._last[-2:]
        times = np.array([moment for *_, moment in newest])
        while self._point <= seconds + EQUAL:
            self._keep(newest[self.stored.nearest(times, np.array([self._point]))[0]])
            self._points += 1
        return self.count - before

    @property
    def _point(self) -> float:
        """The next moment at which a frame is kept."""
        return self._start + self._points * self.step

    def _keep(self, chosen: tuple[int, np.ndarray, float]) -> None:
        number, small, seconds = chosen
        before = next((earlier for index, earlier, _ in self._last if index == number - 1), None)
        self._kept.append(self._coder.code(number, seconds, small, before))
        self.count += 1

    def clip(self, since: float = -np.inf) -> Recorded | None:
        """The window's frames as one clip, with the points found `since` then; None until it is full."""
        if len(self._kept) < self.size or (self.stored.landmark and not self._found):
            return None
        kept = self._begun(list(self._kept))
        if not self._found:
            return recording.clip_of(kept, self._regions)
        given = [row for row in self._found if row[1] >= since] or [self._found[-1]]
        recorder = PointRecorder(None, self.stored.landmark.rate)
        for found, seconds in given:
            recorder.add(found, seconds)
        return recording.clip_of(kept, self._regions, recorder.points(), given[0][1])

    def fresh(self, begin: bool = False) -> dict[str, np.ndarray]:
        """{modality: (t, H, W, C) uint8} of the frames kept since the last time; empty where there are none.

        Args:
            begin: give the last `motion.BEFORE` seconds instead, as the beginning of a clip.
        """
        new = 1 + round((motion.BEFORE + motion.BEGIN) / self.step) if begin else self.count - self._given
        kept, self._given = list(self._kept)[-new:] if new else [], self.count
        if not kept:
            return {}
        return recording.images_of(self._begun(kept) if begin else kept)

    def _begun(self, kept: list[Kept]) -> list[Kept]:
        """The same as a clip begins: its first frame, and where that is repeated, has a field of zero."""
        if not self.stored.flow:
            return kept
        zero = np.zeros_like(kept[0].field)
        coded = recording.code_flow(zero, self.stored.flow)
        first = kept[0].number
        return [replace(frame, field=zero, coded=coded) if frame.number == first else frame for frame in kept]
