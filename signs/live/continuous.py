"""Signs in an endless picture: a window slides over it, and each sign is reported once.

    window = SlidingWindow(stored, {"signer"}, seconds=5.0)
    window.push(frame, seconds)             each frame; the kept ones are coded and get their flow once
    clip = window.clip()                    the last `seconds`, as Recording gives a clip; None at first
    images = window.fresh()                 or what was kept since the last time, for networks that go on with it
    reporter = Reporter(recogniser, gap=2.5)
    label = reporter.push(probabilities, moment)   a sign that is new, or None

`Continuous` is the mode that joins the two. The rest pose is learnt first (motion.py, point_motion.py); at rest nothing
is recognised. Where points are seen, the window begins with the movement, and what a movement was is said at its end.
"""

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from signs.clips import region
from signs.clips.points import Found, PointRecorder
from signs.clips.spec import EQUAL, StoredSpec
from signs.inference import recording, timing
from signs.inference.recording import Coder, Kept, Recorded
from signs.inference.timing import Timings
from signs.live import motion
from signs.live.modes import Mode

import numpy as np

SMOOTH = 0.3  # seconds after which an answer counts 1/e in the mean
PEAK = 0.5  # seconds for which an answer has to stay the surest: while a sign enters the window, others are guessed
FIRST = 0.1  # seconds that the first answer after a rest stands for
FADED = 0.6  # share of the needed confidence below which a sign is over and may come again
UNSURE = 0.5  # needed confidence where the bundle has no threshold
BACKLOG = 32  # frames that may wait for their flow; then the picture waits, and a camera's frames are lost meanwhile
BEFORE = 0.5  # seconds before a movement at which networks that go on begin


class SlidingWindow:
    """The last `seconds` of what was pushed, at the bundle's rate, or at the rate that makes its number of frames.

    regions: the parts of the picture that the networks see.
    """

    def __init__(self, stored: StoredSpec, regions: Iterable[str], seconds: float, timings: Timings | None = None):
        self.stored, self.timings, self._regions = stored, timings or Timings(), set(regions) & set(region.SQUARES)
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
        number, small, _ = chosen
        before = next((earlier for index, earlier, _ in self._last if index == number - 1), None)
        self._kept.append(self._coder.code(number, small, before))
        self.count += 1

    def clip(self, since: float = -np.inf) -> Recorded | None:
        """The window's frames as one clip, with the points found `since` then; None until it is full."""
        if len(self._kept) < self.size or (self.stored.landmark and not self._found):
            return None
        clip = recording.clip_of(self._begun(list(self._kept)), self._regions)
        if self._found:
            recorder = PointRecorder(None, self.stored.landmark.rate)
            for found, seconds in self._found:
                if seconds >= since or seconds == self._found[-1][1]:
                    recorder.add(found, seconds)
            clip.images["landmark"] = recorder.points()
        return clip

    def fresh(self, begin: bool = False) -> dict[str, np.ndarray]:
        """{modality: (t, H, W, C) uint8} of the frames kept since the last time; empty where there are none.

        Args:
            begin: give the last `BEFORE` seconds instead, as the beginning of a clip.
        """
        new = 1 + round(BEFORE / self.step) if begin else self.count - self._given
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


class Reporter:
    """Smooths the answers of a sliding window and reports each sign once, when it is surest.

    gap: seconds that the next sign takes at least; probabilities: (classes,), smoothed; calibrated: the same, as sure
    as they should be; confidence: the best one's of these.
    """

    def __init__(self, recogniser, gap: float):
        self.labels, self.calibration, self.gap = recogniser.labels, recogniser.calibration, gap
        self.none = {index for index, row in enumerate(recogniser.classes) if row.kind == "none"}
        threshold = self.calibration.threshold
        self.needed = UNSURE if threshold is None else max(threshold, 1.5 / len(self.labels))
        self.reset()

    def reset(self) -> None:
        """Nothing moves: the sign is over."""
        self.probabilities = self.calibrated = None
        self.confidence = 0.0
        self._moment, self._reported, self._surest = None, None, None

    def finish(self) -> str | None:
        """The movement is over -> the label of the sign that it was and that was not said yet, or None."""
        label = None
        if self.probabilities is not None and self._reported is None:
            best = int(self.probabilities.argmax())
            label = self.labels[best] if best not in self.none and self.confidence >= self.needed else None
        self.reset()
        return label

    def push(self, probabilities: np.ndarray, moment: float, waits: bool = False) -> str | None:
        """(classes,) probabilities of the window that ends at `moment` seconds -> the label of a new sign, or None.

        waits: nothing is said yet; `finish` will come.
        """
        since = FIRST if self._moment is None else moment - self._moment
        share = 1 - np.exp(-since / SMOOTH)
        old = np.full(len(self.labels), 1 / len(self.labels)) if self.probabilities is None else self.probabilities
        self.probabilities, self._moment = old + share * (probabilities - old), moment
        after = self.calibrated = self.calibration.calibrated(self.probabilities)
        best = int(after.argmax())
        self.confidence = float(after[best])
        if self._reported and moment - self._reported[1] > self.gap and after[self._reported[0]] < FADED * self.needed:
            self._reported = None
        # The sign that was just reported, or too soon for another.
        again = self._reported and (best == self._reported[0] or moment - self._reported[1] <= self.gap)
        sign = best not in self.none and self.confidence >= self.needed and not again
        if sign and (self._surest is None or self.confidence > self._surest[1]):
            self._surest = best, self.confidence, moment
        if waits or self._surest is None or moment - self._surest[2] < PEAK:
            return None
        self._reported, self._surest = (self._surest[0], moment), None
        return self.labels[self._reported[0]]


class Continuous(Mode):
    """A window slides over the picture; it is named several times a second, each sign reported once."""

    name = "continuous"

    def __init__(self, recogniser, worker, seconds: float = 5.0, clock=time.monotonic, tracker=None):
        super().__init__(recogniser, worker, clock, tracker)
        self.seconds = seconds
        self.reporter = Reporter(recogniser, seconds / 2)
        self.following = None
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="window", initializer=timing.step_back)
        self.restart()

    def restart(self) -> None:
        bundle = self.recogniser.bundle
        self.watch_anew()
        self.window = SlidingWindow(bundle.spec.stored, bundle.regions, self.seconds, self.timings)
        self.reporter.reset()
        self._done, self._moment, self._begin, self._since = 0, 0.0, True, -np.inf
        self._pushing: deque[Future] = deque()
        self.enter("learning")

    def start(self) -> None:
        if self.state == "ready":
            self.restart()

    def close(self) -> None:
        self._keeper.shutdown(wait=False, cancel_futures=True)

    def frame(self, frame, seconds: float) -> None:
        self.look(frame, seconds)

    def take(self, frame, seconds: float, found) -> None:
        event = self.watch(frame, seconds, found)
        if event == "began":
            self._since = seconds - BEFORE
        elif event == "ended" and self.tracker:
            self._finish(self.detector.moved - self._since - BEFORE + motion.BEGIN)
        small = self.window.stored.resize(frame)
        self._pushing.append(self._keeper.submit(self.window.push, small, seconds, found and found.result()))
        while self._pushing and (self._pushing[0].done() or len(self._pushing) > BACKLOG):
            self._pushing.popleft().result()
        self._moment = seconds

    def _finish(self, lasted: float) -> None:
        """A movement of so many seconds is over; a short one was no sign."""
        label = self.reporter.finish()
        if label and lasted >= motion.SHORTEST:
            self.span = (self._since, self._moment)
            self.remember(label, True)

    @property
    def field(self):
        return self.window.newest

    def tick(self) -> None:
        super().tick()
        if self.state == "ready" and self._pending is None and self.window.count > self._done:
            self._done, self._last = self.window.count, self.clock()
            if self._moves:
                self._pending = self.worker.submit(self._look, self._moment)
            else:
                self.reporter.reset()
                self._begin = True
                if self._moment - self.detector.moved >= self.seconds / 2:
                    self.answer = None

    @property
    def _moves(self) -> bool:
        """Whether there may be a sign in the window; points say when one is over."""
        if self.tracker:
            return self.detector.state == "moving"
        return self._moment - self.detector.moved < self.seconds / 2

    def _look(self, moment: float):
        """In the worker: (answer of what the window shows now, moment), or None while it fills."""
        timings = Timings()
        if self.recogniser.endless:
            answer = self._go_on(timings)
        else:
            clip = self._keeper.submit(self.window.clip, self._since if self.tracker else -np.inf).result()
            answer = self.recogniser.recognise(clip, timings) if clip else None
        self.timings.update(timings)
        return (answer, moment) if answer else None

    def _go_on(self, timings: Timings):
        """The answer after what came since the last time; after a rest the next sign begins as a clip does."""
        begin, self._begin = self._begin, False
        images = self._keeper.submit(self.window.fresh, begin).result()
        if begin:
            self.following = self.recogniser.following(self.window.size)
        return self.following.push(images, timings) if images else None

    def answered(self, looked) -> None:
        if looked is None:
            return
        answer, moment = looked
        recogniser, reporter = self.recogniser, self.reporter
        self.latency = self.clock() - self._last
        self.timings.add("last frame to answer", self.latency)
        waits = self.tracker is not None and moment - self._since <= self.seconds  # the movement is in the window
        new = reporter.push(answer.fused, moment, waits)
        ranked, known = recogniser.rank(reporter.calibrated), reporter.confidence >= reporter.needed
        self.answer = replace(answer, ranked=ranked, known=known)
        if new is not None:
            self.span = (max(self._since, moment - self.seconds), moment)
            self.remember(new, True)
