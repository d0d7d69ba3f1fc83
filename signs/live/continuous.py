"""Signs in an endless picture: a window that slides over it, and what of its answers is worth saying.

window = Window(stored, {"signer"}, seconds=5.0)
window.push(frame, seconds)             each frame; the kept ones are coded and get their flow once
clip = window.clip()                    the last `seconds`, as Recording gives a clip; None at first
images = window.fresh()                 or what was kept since the last time, for networks that go on with it
reporter = Reporter(classes, calibration)
label = reporter.push(probabilities, moment)   a sign that is new, or None
"""

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from signs.clips import region
from signs.clips.spec import EQUAL, StoredSpec
from signs.inference import recording, timing
from signs.inference.recording import Coder, Recorded
from signs.inference.timing import Timings
from signs.live.modes import Mode
from signs.live.motion import Detector

import numpy as np

SMOOTH = 0.3  # seconds after which an answer counts 1/e in the mean
PEAK = 0.5  # seconds for which an answer has to stay the surest yet: while a sign enters the window, others are guessed
FIRST = 0.1  # seconds that the first answer after a rest stands for
FADED = 0.6  # of what was needed: below it a sign is over and may come again
UNSURE = 0.5  # confidence that is needed where the bundle has no threshold
BEFORE = 0.5  # seconds from before a movement with which networks that go on begin


@dataclass(frozen=True)
class _Kept:
    moment: float
    small: np.ndarray
    image: np.ndarray
    field: np.ndarray | None
    coded: np.ndarray | None


class Window:
    """The last `seconds` of what was pushed, at the bundle's rate, or at that which makes its number of frames."""

    def __init__(self, stored: StoredSpec, regions: Iterable[str], seconds: float, timings: Timings | None = None):
        """regions: of the picture that will be seen."""
        self.stored, self.timings, self._regions = stored, timings or Timings(), set(regions) & set(region.SQUARES)
        rule = stored.frames
        if rule.isdigit():
            self.size = int(rule)
            self.step = seconds / max(1, self.size - 1)
        else:
            rate = int(rule.removesuffix("fps")) if rule.endswith("fps") else 30  # `all`: as most cameras have it
            self.size, self.step = max(2, round(seconds * rate)), 1 / rate
        self._coder = Coder(stored, self.timings)
        self._kept: deque[_Kept] = deque(maxlen=self.size)
        self._last: list[tuple[int, np.ndarray, float]] = []  # the three newest frames, resized
        self._number, self._start, self._points = 0, None, 0
        self.count, self._given = 0, 0  # frames kept so far, and those that `fresh` has had

    @property
    def newest(self) -> np.ndarray | None:
        """The latest flow field, (H, W, 2) float32 pixels, to be shown."""
        return self._kept[-1].field if self._kept else None

    def push(self, frame: np.ndarray, seconds: float) -> int:
        """(H, W, 3) uint8 RGB at a time later than the one before -> how many frames it decided on."""
        if self._last and seconds <= self._last[-1][2]:
            return 0
        with self.timings.measure("frames"):
            small = self.stored.resize(frame)
        self._last = [*self._last[-2:], (self._number, small, seconds)]
        self._number += 1
        before = self.count
        if self._start is None or seconds - self._point > self.step * self.size:  # after so long a gap nothing is left
            self._start, self._points = seconds, 0
        two = self._last[-2:]
        times = np.array([moment for *_, moment in two])
        while self._point <= seconds + EQUAL:
            self._keep(two[self.stored.nearest(times, np.array([self._point]))[0]])
            self._points += 1
        return self.count - before

    @property
    def _point(self) -> float:
        """The next moment at which a frame is kept."""
        return self._start + self._points * self.step

    def _keep(self, chosen: tuple[int, np.ndarray, float]) -> None:
        number, small, moment = chosen
        if self._kept and self._kept[-1].moment == moment:
            self._kept.append(self._kept[-1])  # a slow camera: the frame again, with its field
        else:
            before = next((frame for other, frame, _ in self._last if other == number - 1), None)
            self._kept.append(_Kept(moment, small, *self._coder.code(number, small, before)))
        self.count += 1

    def clip(self) -> Recorded | None:
        """What is in the window, once it is full."""
        if len(self._kept) < self.size:
            return None
        kept = list(self._kept)
        images, flow = self._images(kept, True), None
        if self.stored.flow:
            first = _repeats(kept)
            flow = np.stack([np.zeros_like(kept[0].field)] * first + [one.field for one in kept[first:]])
        squares = region.find_squares(np.stack([one.small for one in kept]), self._regions) if self._regions else {}
        return Recorded(images, flow, squares, list(range(self.count - self.size, self.count)))

    def fresh(self, begin: bool = False) -> dict[str, np.ndarray]:
        """What was kept since the last time, {modality: (t, H, W, C) uint8}, nothing where that is no frame.

        Args:
            begin: the last moments instead, as of a clip of its own.
        """
        new = 1 + round(BEFORE / self.step) if begin else self.count - self._given
        kept, self._given = list(self._kept)[-new:] if new else [], self.count
        return self._images(kept, begin) if kept else {}

    def _images(self, kept: list[_Kept], begin: bool) -> dict[str, np.ndarray]:
        """By modality, as the archives hold them; `begin`: of a clip's beginning, whose first field is zero."""
        images = {"rgb": np.stack([one.image for one in kept])}
        if self.stored.flow:
            first = _repeats(kept) if begin else 0
            coded = [recording.code_flow(np.zeros_like(kept[0].field), self.stored.flow)] * first
            images["flow"] = np.stack([*coded, *(one.coded for one in kept[first:])])
        return images


def _repeats(kept: list[_Kept]) -> int:
    """How many of a clip's frames are the first one, whose field is zero."""
    return sum(1 for one in kept if one.moment == kept[0].moment)


class Reporter:
    """Smooths the answers of a sliding window and says each sign once, when it is surest.

    gap: seconds that the next sign takes at least; probabilities: the smoothed ones; confidence: of the best of them.
    """

    def __init__(self, recogniser, gap: float):
        self.labels, self.calibration, self.gap = recogniser.labels, recogniser.calibration, gap
        self.none = {index for index, row in enumerate(recogniser.classes) if row.kind == "none"}
        threshold = self.calibration.threshold
        self.needed = UNSURE if threshold is None else max(threshold, 1.5 / len(self.labels))
        self.reset()

    def reset(self) -> None:
        """Nothing moves: what was seen is over."""
        self.probabilities, self.confidence = None, 0.0
        self._moment, self._said, self._surest = None, None, None

    def push(self, probabilities: np.ndarray, moment: float) -> str | None:
        """(classes,) of the window that ends at `moment` seconds -> the label of a sign that is new, or None."""
        since = FIRST if self._moment is None else moment - self._moment
        share = 1 - np.exp(-since / SMOOTH)
        old = np.full(len(self.labels), 1 / len(self.labels)) if self.probabilities is None else self.probabilities
        self.probabilities, self._moment = old + share * (probabilities - old), moment
        after = self.calibration.calibrated(self.probabilities)
        best = int(after.argmax())
        self.confidence = float(after[best])
        if self._said and moment - self._said[1] > self.gap and after[self._said[0]] < FADED * self.needed:
            self._said = None
        sign = best not in self.none and self.confidence >= self.needed and not self._again(best, moment)
        if sign and (self._surest is None or self.confidence > self._surest[1]):
            self._surest = best, self.confidence, moment
        if self._surest is None or moment - self._surest[2] < PEAK:
            return None
        self._said, self._surest = (self._surest[0], moment), None
        return self.labels[self._said[0]]

    def _again(self, best: int, moment: float) -> bool:
        """Whether it is the sign that was said, or too soon for another."""
        return self._said is not None and (best == self._said[0] or moment - self._said[1] <= self.gap)


class Continuous(Mode):
    """A window slides over the picture; it is named several times a second, each sign reported once."""

    name = "continuous"

    def __init__(self, recogniser, worker, seconds: float = 5.0, clock=time.monotonic):
        super().__init__(recogniser, worker, clock)
        self.seconds = seconds
        self.reporter = Reporter(recogniser, seconds / 2)
        self.following = None
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="window", initializer=timing.step_back)
        self.restart()

    def restart(self) -> None:
        """Learn the rest pose anew."""
        bundle = self.recogniser.bundle
        self.detector = Detector()
        self.window = Window(bundle.spec.stored, bundle.regions, self.seconds, self.timings)
        self.reporter.reset()
        self._done, self._moment, self._begin = 0, 0.0, True
        self._pushing: deque[Future] = deque()
        self.enter("learning")

    def start(self) -> None:
        if self.state == "ready":
            self.restart()

    def close(self) -> None:
        self._keeper.shutdown(wait=False, cancel_futures=True)

    def frame(self, frame, seconds: float) -> None:
        self.watch(frame, seconds)
        self._pushing.append(self._keeper.submit(self.window.push, frame, seconds))
        while self._pushing and self._pushing[0].done():
            self._pushing.popleft().result()
        self._moment = seconds

    @property
    def field(self):
        return self.window.newest

    def tick(self) -> None:
        super().tick()
        if self.state == "ready" and self._pending is None and self.window.count > self._done:
            self._done, self._last = self.window.count, self.clock()
            moved = self._moment - self.detector.moved < self.seconds / 2
            if moved:
                self._pending = self.worker.submit(self._look, self._moment)
            else:
                self.reporter.reset()
                self.answer, self._begin = None, True

    def _look(self, moment: float):
        """In the worker: what the window shows now, or None while it fills."""
        timings = Timings()
        answer = (self._go_on if self.recogniser.endless else self._anew)(timings)
        self.timings.update(timings)
        return (answer, moment) if answer else None

    def _anew(self, timings: Timings):
        """The whole window."""
        clip = self._keeper.submit(self.window.clip).result()
        return self.recogniser.recognise(clip, timings) if clip else None

    def _go_on(self, timings: Timings):
        """What came since the last time; after a rest the next sign begins as a clip does."""
        begin, self._begin = self._begin, False
        images = self._keeper.submit(self.window.fresh, begin).result()
        if begin:
            self.following = self.recogniser.following(self.window.size)
        return self.following.push(images, timings) if images else None

    def answered(self, found) -> None:
        if found is None:
            return
        answer, moment = found
        recogniser, reporter, fused = self.recogniser, self.reporter, dict(answer.ranked)
        self.latency = self.clock() - self._last
        self.timings.add("last frame to answer", self.latency)
        label = reporter.push(np.array([fused[one] for one in recogniser.labels]), moment)
        self.answer = replace(
            answer,
            ranked=recogniser.rank(reporter.probabilities),
            confidence=reporter.confidence,
            known=reporter.confidence >= reporter.needed,
        )
        if label is not None:
            self.say(label, True)
