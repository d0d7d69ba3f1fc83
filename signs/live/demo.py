"""The live demo without its window: frames of a source go to the mode that is chosen, which gives the answers.

    demo = Demo(source, loading, lambda recogniser: build_modes(recogniser, worker, 3.0, 5.0, 5.0))
    demo.step()                         often: frames arrive, time passes
    demo.mode.start()                   the space bar
    demo.mode.state, demo.mode.answer

livedemo.py runs it with a window and without: what happens to a frame is the same.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from signs.inference.timing import Timings
from signs.live.continuous import Continuous
from signs.live.corrections import Corrections
from signs.live.countdown import Countdown
from signs.live.film import Film
from signs.live.hands_free import HandsFree
from signs.live.modes import Mode
from signs.live.tracking import Tracker

MODES = tuple(mode.name for mode in (Countdown, HandsFree, Continuous))
GAP = 0.04  # seconds between a file's last frame and its first one, when it begins again
NOT_AHEAD = (
    "this model sees {} frames of a sign, however long it is; which ones, and their flow, is known when it is over.\n"
    "One whose clips are stored at a rate (frame.py --frames 10fps) keeps up."
)


def build_modes(recogniser, worker: ThreadPoolExecutor, countdown: float, seconds: float, window: float) -> dict:
    """{name: mode} of a loaded recogniser; seconds of the countdown, of a recording and of the sliding window."""
    unknown = recogniser if recogniser.endless else recogniser.whole  # for signs whose end is not known beforehand
    stored = recogniser.bundle.spec.stored
    tracker = Tracker(stored) if stored.landmark else None
    modes = [
        Countdown(recogniser, worker, countdown, seconds, tracker=tracker),
        HandsFree(unknown, worker, tracker=tracker),
        Continuous(unknown, worker, window, tracker=tracker),
    ]
    return {mode.name: mode for mode in modes}


class Demo:
    """Source -> mode -> answer, driven by `step`. `mode` is None until the recogniser is there.

    Args:
        source: a VideoSource of videocapture.py.
        loading: the recogniser, which may still be on its way.
        build: recogniser -> {name: mode}.
        mode: name of the first mode.
        corrections: what was answered, and what it was; film: remembers pictures of it, where they may be kept.
    """

    def __init__(
        self,
        source,
        loading: Future,
        build: Callable,
        mode: str = Countdown.name,
        corrections: Corrections | None = None,
        film: Film | None = None,
    ):
        self.source, self.loading, self.build, self.wanted = source, loading, build, mode
        self.corrections, self.film = corrections or Corrections(), film
        self.modes: dict[str, Mode] = {}
        self.mode: Mode | None = None
        self.picture, self.moment = None, 0.0  # the last frame, and when it came
        self.timings = Timings()
        self._explained, self._last, self._offset = False, None, 0.0
        self._noted = None  # the answer that the corrections know

    @property
    def recogniser(self):
        return self.loading.result()

    def switch_mode(self, name: str) -> None:
        """Another way to sign; the same again is the countdown."""
        self.wanted = Countdown.name if name == self.wanted else name
        self._explain()
        if self.modes:
            self.mode.settle()
            self.mode = self.modes[self.wanted]
            self.mode.restart()

    def step(self, wait: float = 0.0) -> None:
        """Take what has arrived, let time pass, and see whether the answer is there; raises the source's Problem.

        Args:
            wait: seconds to wait for a frame.
        """
        if self.mode is None and self.loading.done():
            self.modes = self.build(self.recogniser)
            self.mode = self.modes[self.wanted]
            self.corrections.classes = self.recogniser.classes
            self._explain()
        for frame, seconds in self.source.arrived(wait):
            self.picture, self.moment = frame, seconds
            if self.mode:
                if self.mode.tracker and not self.source.drops:
                    self.mode.tracker.catch_up()
                seconds = self._rising(seconds)
                if self.film:
                    self.film.add(frame, seconds)
                self.mode.frame(frame, seconds)
        if self.source.ended:
            if self.mode:
                self.mode.ended()
            if self.source.loops:
                self.source.restart()
        if self.mode:
            before = self.mode.state
            self.mode.tick()
            if before == "countdown" and self.mode.state == "recording":
                self.source.restart()
            self._note_answer()

    def _note_answer(self) -> None:
        """Tell the corrections of a sign that has just been answered."""
        if self.mode.given is not None and self.mode.given is not self._noted:
            self._noted = self.mode.given
            strip = self.film.between(*self.mode.span) if self.film else None
            mode = self.mode
            self.corrections.said(mode.given.ranked, mode.given.known, mode.name, mode.latency, strip)

    def _explain(self) -> None:
        """Say once what a model of so many frames, however long a sign is, cannot do ahead of time."""
        if self.wanted == HandsFree.name and self.loading.done() and not self._explained:
            bundle = self.recogniser.bundle
            frames, modalities = bundle.spec.stored.frames, {stream.modality for stream in bundle.streams}
            if frames.isdigit() and modalities != {"landmark"}:  # points are those of every frame
                print(NOT_AHEAD.format(frames), flush=True)
            self._explained = True

    def _rising(self, seconds: float) -> float:
        """Time goes on where a file begins again."""
        if self._last is not None and seconds + self._offset <= self._last:
            self._offset = self._last - seconds + GAP
        self._last = seconds + self._offset
        return self._last

    def close(self) -> None:
        self.corrections.close()
        if self.film:
            self.film.close()
        for mode in self.modes.values():
            mode.close()
            if mode.tracker:
                mode.tracker.close()
