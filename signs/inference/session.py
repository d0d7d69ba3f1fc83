"""One sign while it is recorded, and a picture without an end: frames in one at a time, answers out.

session = recogniser.session(length=5.0)
session.push(frame, seconds)            for each frame; returns at once
answer = session.result()
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from signs.inference import timing
from signs.inference.recording import Chosen, Look, Recording
from signs.inference.timing import Timings

import numpy as np


@dataclass(frozen=True)
class Answer:
    """What was recognised in one clip.

    ranked: (label, probability), best first, calibrated; streams: each stream's alone, as it is; logits: (classes,) of
    each stream; fused: (classes,) probabilities before calibration; seconds: by step, all of it; frames (T, H, W, 3)
    uint8 RGB and flow (T, H, W, 2) float32 pixels, or None: what was kept of the clip; known: whether the best is sure
    enough for an answer (confidence.py).
    """

    ranked: list[tuple[str, float]]
    streams: dict[str, list[tuple[str, float]]]
    logits: dict[str, np.ndarray]
    fused: np.ndarray
    seconds: dict[str, float]
    frames: np.ndarray
    flow: np.ndarray | None
    known: bool

    @property
    def confidence(self) -> float:
        """The one number that says how sure the answer is: the best label's probability."""
        return self.ranked[0][1]


class Session:
    """One sign that is being recorded by a Recogniser: a thread keeps frames and computes flow while more come.

    given: each frame's points come with it, where it has some; none are looked for here.
    """

    def __init__(self, recogniser, length: float | None = None, given: bool = False):
        self.recogniser = recogniser
        self.recording = Recording(recogniser.bundle.spec.stored, recogniser.bundle.regions, length, given)
        self.timings = self.recording.timings
        self._while_recording = recogniser.works_while_recording and self.recording.grid.known
        if self._while_recording:
            for network in recogniser.networks.values():
                network.reset()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="recording", initializer=timing.step_back)
        self._pushed: list[Future] = []

    def push(self, frame: np.ndarray, seconds: float, found: Future | None = None) -> None:
        """frame (H, W, 3) uint8 RGB, not mirrored and not written to any more; seconds on any clock that only goes
        forward; found: of the frame's points (Found), where they are given. Returns at once: what waits for the thread
        are kept frames alone, as large as they are stored."""
        if chosen := self.recording.choose(frame, seconds, found):
            self._pushed.append(self._worker.submit(self._code, chosen))

    def _code(self, chosen: list[Chosen | Look]) -> None:
        self.recording.code(chosen)
        if self._while_recording:
            self._advance()

    def _advance(self) -> None:
        """Give the networks the frames that were kept since the last time."""
        images = self.recording.fresh()
        for stream in self.recogniser.bundle.streams if images else ():
            with self.timings.measure(f"{stream.name} net"):
                self.recogniser.networks[stream.name].push(self.recogniser.input_frames(stream, images))

    def _logits(self) -> dict[str, np.ndarray]:
        """{stream: (classes,) logits}, once all frames were kept."""
        self._advance()
        logits = {}
        for name, network in self.recogniser.networks.items():
            with self.timings.measure(f"{name} net"):
                logits[name] = network.answer()
        return logits

    def result(self) -> Answer:
        """The answer for what was pushed; raises Problem where that is nothing."""
        try:
            for pushed in self._pushed:
                pushed.result()  # raises what went wrong in the thread
            recorded = self._worker.submit(self.recording.finish).result()
            if self._while_recording:
                logits = self._worker.submit(self._logits).result()
                return self.recogniser.conclude(logits, self.timings.sums(), recorded.images["rgb"], recorded.flow)
        finally:
            self._worker.shutdown(wait=False, cancel_futures=True)
        return self.recogniser.whole.recognise(recorded, self.timings)


class Following:
    """An endless picture: the networks' states go on from frame to frame, and each new frame costs a step."""

    def __init__(self, recogniser, span: int):
        self.recogniser, self.span = recogniser, span
        self.reset()

    def reset(self) -> None:
        """Begin anew, as with the first frame of a clip."""
        for network in self.recogniser.networks.values():
            network.reset(self.span)

    def push(self, images: dict[str, np.ndarray], timings: Timings) -> Answer:
        """The frames kept since the last time, by modality, (t, H, W, C) uint8 as recorded -> the answer now.

        The answer's pictures are these frames.
        """
        logits = {}
        for stream in self.recogniser.bundle.streams:
            network = self.recogniser.networks[stream.name]
            with timings.measure(f"{stream.name} net"):
                network.push(self.recogniser.input_frames(stream, images))
                logits[stream.name] = network.answer()
        return self.recogniser.conclude(logits, timings.sums(), images["rgb"], None)
