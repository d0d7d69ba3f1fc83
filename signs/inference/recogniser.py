"""From frames to ranked labels: the one path to a prediction, for files, archives, evaluation and the live demo.

    recogniser = Recogniser.load("model/chalearn")
    label, probability = recogniser.predict(frames, times)[0]

Frames are kept, resized and coded exactly as frame.py and opticalflow.py store them, so that a network sees the same
8-bit values here as in training. Each stream's logits go through a softmax; the streams' probabilities are averaged,
plainly unless evaluate.py found better weights on the validation clips. The networks run in Keras, or in the quickest
form that export.py made of them and found to agree.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from signs.clips import modality, preprocess
from signs.clips.dataset import Dataset
from signs.command import Problem
from signs.flow.stream import compile_solver
from signs.inference import exported, timing
from signs.inference.bundle import Bundle, Stream, load_bundle
from signs.inference.confidence import load_calibration
from signs.inference.exported import read_export
from signs.inference.recording import Recorded, Recording
from signs.inference.runtime import KERAS, Form, cores
from signs.inference.streaming import SteppedNetwork, StreamedNetwork
from signs.inference.timing import Timings

import numpy as np
from scipy.special import softmax


@dataclass(frozen=True)
class Answer:
    """What was recognised in one clip.

    ranked: (label, probability), best first; streams: the same for each stream alone; logits: (classes,) of each
    stream; seconds: by step, all of it; frames (T, H, W, 3) uint8 RGB and flow (T, H, W, 2) float32 pixels, or None:
    what was kept of the clip; confidence: how sure the best is, calibrated; known: whether that is enough for an answer
    (confidence.py).
    """

    ranked: list[tuple[str, float]]
    streams: dict[str, list[tuple[str, float]]]
    logits: dict[str, np.ndarray]
    seconds: dict[str, float]
    frames: np.ndarray
    flow: np.ndarray | None
    confidence: float
    known: bool


class Recogniser:
    """A loaded bundle. Not for several threads at once.

    networks: {stream: network}, see runtime.py; form: what they are, None for Keras; together: whether the streams'
    networks run side by side, each on its share of the cores.
    """

    def __init__(self, bundle: Bundle, networks: dict, form: Form | None = None, together: bool = False):
        self.bundle, self.networks, self.form, self.together = bundle, networks, form, together
        self.calibration = load_calibration(bundle.folder, bundle.hashes)
        self.classes = bundle.classes
        self.labels = [row.label for row in bundle.classes]
        self._names = {row.label: row.name for row in bundle.classes}
        self._gestures = {row.label for row in bundle.classes if row.kind == "gesture"}
        self._pool = ThreadPoolExecutor(len(networks)) if together else None
        self.whole = self  # the same model in the form that is the quickest for clips that are over

    @classmethod
    def load(cls, folder: Path, runtime: str = exported.AUTO, live: bool = False) -> "Recogniser":
        """Read a bundle; raises Problem where it is missing, of another format or changed.

        Args:
            runtime: "keras", a form of runtime.py that export.py made, or "auto": the quickest of them that agrees.
            live: the quickest after the last frame of a recording, rather than in all; `whole` is the other then.
        """
        bundle = load_bundle(folder)
        found = cls._open(bundle, exported.choose_form(bundle, runtime, live))
        if found.form and found.streams and runtime == exported.AUTO:
            found.whole = cls._open(bundle, exported.choose_form(bundle, runtime))
        return found

    @classmethod
    def _open(cls, bundle: Bundle, form: Form | None) -> "Recogniser":
        together = form is not None and read_export(bundle)["forms"][form.name]["together"]
        threads = max(1, cores() // len(bundle.streams)) if together else None
        return cls(bundle, exported.open_networks(bundle, form, threads), form, together)

    @property
    def models(self) -> dict:
        """{stream: keras.Model}; of a recogniser that runs in Keras."""
        return {name: network.model for name, network in self.networks.items()}

    @property
    def streams(self) -> bool:
        """Whether the networks can work while a clip is recorded."""
        streamed = all(isinstance(one, StreamedNetwork | SteppedNetwork) for one in self.networks.values())
        return streamed and exported.works_while_recording(self.bundle)

    @property
    def endless(self) -> bool:
        """Whether they can go on for ever, so that each frame of an endless picture costs a step."""
        return self.streams and all(network.endless for network in self.networks.values())

    @property
    def runtime(self) -> str:
        """The name of the form that runs."""
        return self.form.name if self.form else KERAS

    def name(self, label: str) -> str:
        """The readable name of a label."""
        return self._names[label]

    def predict(self, frames: np.ndarray, times: np.ndarray) -> list[tuple[str, float]]:
        """frames (T, H, W, 3) uint8 RGB, times (T,) seconds -> (label, probability), best first."""
        return self.answer(frames, times).ranked

    def answer(self, frames: np.ndarray, times: np.ndarray) -> Answer:
        """As `predict`, with each stream's answer, the seconds each step took, and what was kept of the clip."""
        recording = Recording(self.bundle.spec.stored, self.bundle.regions, float(times[-1]) - float(times[0]))
        for frame, seconds in zip(frames, times, strict=True):
            recording.push(frame, float(seconds))
        return self.recognise(recording.finish(), recording.timings)

    def recognise(self, clip_: Recorded, timings: Timings) -> Answer:
        """What was kept of a clip -> its answer; the networks' steps are added to `timings`."""
        if self._pool:
            rows = self._pool.map(lambda stream: self._stream_logits(stream, clip_, timings), self.bundle.streams)
            logits = {stream.name: row for stream, row in zip(self.bundle.streams, rows, strict=True)}
        else:
            logits = {stream.name: self._stream_logits(stream, clip_, timings) for stream in self.bundle.streams}
        return self.conclude(logits, timings.sums(), clip_.images["rgb"], clip_.flow)

    def _stream_logits(self, stream: Stream, clip_: Recorded, timings: Timings) -> np.ndarray:
        with timings.measure(f"{stream.name} net"):
            images = _seen_live(stream, clip_.images["flow" if stream.modality == "flow" else "rgb"])
            return self.logits(stream, self.input(stream, images, clip_.squares))[0]

    def conclude(self, logits: dict[str, np.ndarray], seconds: dict[str, float], frames, flow) -> Answer:
        """{stream: (classes,) logits} -> the answer."""
        probabilities = {name: softmax(np.float64(row)) for name, row in logits.items()}
        fused = self.calibration.fuse(probabilities)
        ranked = self.rank(fused)
        sure = float(self.calibration.calibrated(fused).max())
        known = self.calibration.known(sure, ranked[0][0] in self._gestures)
        streams = {name: self.rank(row) for name, row in probabilities.items()}
        return Answer(ranked, streams, logits, seconds, frames, flow, sure, known)

    def input(self, stream: Stream, images: np.ndarray, squares: dict) -> np.ndarray:
        """What `modalities.read` gives, (T, H, W, C) uint8 and the squares, -> (views, frames, crop, crop, C)
        float32."""
        spec = self.bundle.spec_of(stream)
        bound = modality.TABLE[stream.modality].bound(spec.stored)
        images, magnified = preprocess.cut_out(images, spec.input, squares)
        picked = spec.input.pick_views(len(images))
        return np.stack([preprocess.network_input(images[i], spec.input, bound, magnified=magnified) for i in picked])

    def input_frames(self, stream: Stream, images: np.ndarray) -> np.ndarray:
        """(t, H, W, 3 or 2) uint8 as recorded, some frames of a clip -> (t, crop, crop, C) float32; where `streams`."""
        spec = self.bundle.spec_of(stream)
        bound = modality.TABLE[stream.modality].bound(spec.stored)
        return preprocess.network_input(_seen_live(stream, images), spec.input, bound)

    def logits(self, stream: Stream, batch: np.ndarray) -> np.ndarray:
        """(B * views, frames, crop, crop, C) float32 -> (B, classes), averaged over the views of each clip."""
        logits = self.networks[stream.name].logits(batch)
        return logits.reshape(-1, self.bundle.spec_of(stream).input.views, logits.shape[-1]).mean(axis=1)

    def rank(self, probabilities: np.ndarray) -> list[tuple[str, float]]:
        """(classes,) -> (label, probability), best first."""
        order = np.argsort(-probabilities, kind="stable")
        return [(self.labels[index], float(probabilities[index])) for index in order]

    def warm_up(self) -> None:
        """Run each network once on zeros: the first call builds its graph."""
        if self.bundle.spec.stored.flow:
            compile_solver()
        for stream in self.bundle.streams:
            frames, *picture = stream.arguments["input_shape"]
            seen = self.bundle.spec_of(stream).input
            zeros = np.zeros((seen.views, frames or seen.frames, *picture), np.float32)  # None: clips of any length
            if self.streams:  # as a recording goes, for each number of frames at once is prepared by itself
                network = self.networks[stream.name]
                network.reset()
                for frame in zeros[0]:
                    network.push(frame[None])
                    network.answer()
            if self.form is None or not self.streams:
                self.logits(stream, zeros)
        if self.whole is not self:
            self.whole.warm_up()

    def session(self, length: float | None = None) -> "Session":
        """A sign that is about to be recorded.

        Args:
            length: seconds that the recording will last, where that is known: then frames are kept and flow is computed
                while it lasts. A bundle whose clips are stored at a rate does so without it.
        """
        return Session(self, length)

    def following(self, span: int) -> "Following":
        """An endless picture, named by its last `span` kept frames; where `endless`."""
        return Following(self, span)


class Session:
    """One sign that is being recorded: a thread of its own keeps frames and computes flow while more come."""

    def __init__(self, recogniser: Recogniser, length: float | None = None):
        self.recogniser = recogniser
        self.recording = Recording(recogniser.bundle.spec.stored, recogniser.bundle.regions, length)
        self.timings = self.recording.timings
        self._streams = recogniser.streams and self.recording.grid.known
        self._given = 0
        if self._streams:
            for network in recogniser.networks.values():
                network.reset()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="recording", initializer=timing.step_back)
        self._pushed: list[Future] = []

    def push(self, frame: np.ndarray, seconds: float) -> None:
        """frame (H, W, 3) uint8 RGB, not mirrored and not written to any more; seconds on any clock that only goes
        forward. Returns at once."""
        self._pushed.append(self._worker.submit(self._push, frame, seconds))

    def _push(self, frame: np.ndarray, seconds: float) -> None:
        self.recording.push(frame, seconds)
        if self._streams:
            self._advance()

    def _advance(self) -> None:
        """Give the networks the frames that were kept since the last time."""
        for stream in self.recogniser.bundle.streams:
            images = self.recording.since(self._given, stream.modality)
            if not len(images):
                continue
            with self.timings.measure(f"{stream.name} net"):
                self.recogniser.networks[stream.name].push(self.recogniser.input_frames(stream, images))
        self._given = len(self.recording.numbers)

    def _answers(self) -> dict[str, np.ndarray]:
        """{stream: (classes,) logits}, once all frames were kept."""
        self._advance()
        found = {}
        for stream in self.recogniser.bundle.streams:
            with self.timings.measure(f"{stream.name} net"):
                found[stream.name] = self.recogniser.networks[stream.name].answer()
        return found

    def result(self) -> Answer:
        """Recognise what was pushed; raises Problem where that is nothing."""
        try:
            for done in self._pushed:
                done.result()  # raises what went wrong in the thread
            recorded = self._worker.submit(self.recording.finish).result()
            logits = self._worker.submit(self._answers).result() if self._streams else None
        finally:
            self._worker.shutdown(wait=False, cancel_futures=True)
        if self._streams:
            return self.recogniser.conclude(logits, self.timings.sums(), recorded.images["rgb"], recorded.flow)
        return self.recogniser.whole.recognise(recorded, self.timings)


class Following:
    """A picture without an end: the networks' states go on from frame to frame, and each new frame costs a step."""

    def __init__(self, recogniser: Recogniser, span: int):
        self.recogniser, self.span = recogniser, span
        self.reset()

    def reset(self) -> None:
        """The next frame is the first, as of a clip."""
        for network in self.recogniser.networks.values():
            network.reset(self.span)

    def push(self, images: dict[str, np.ndarray], timings: Timings) -> Answer:
        """(t, H, W, C) uint8 as recorded, `rgb` and `flow`, the frames kept since the last time -> the answer now. Its
        pictures are these frames."""
        logits = {}
        for stream in self.recogniser.bundle.streams:
            network = self.recogniser.networks[stream.name]
            with timings.measure(f"{stream.name} net"):
                recorded = images["flow" if stream.modality == "flow" else "rgb"]
                network.push(self.recogniser.input_frames(stream, recorded))
                logits[stream.name] = network.answer()
        return self.recogniser.conclude(logits, timings.sums(), images["rgb"], None)


def _seen_live(stream: Stream, images: np.ndarray) -> np.ndarray:
    """(T, H, W, 3 or 2) uint8 as recorded -> what `modalities.read` gives of a stored clip, (T, H, W, C)."""
    return modality.TABLE[stream.modality].pictures([images])


def check_store(bundle: Bundle, data: Dataset) -> None:
    """Raise Problem where the data set lacks what the bundle's networks were trained on, e.g. another flow method."""
    there = [path.name for kind in ("frame", "flow") for path in sorted(data.folder.glob(f"{kind}-*")) if path.is_dir()]
    for stream in bundle.streams:
        wanted = [store for store in modality.TABLE[stream.modality].stores(bundle.spec.stored) if store not in there]
        if wanted:
            raise Problem(
                f"{bundle.folder} was trained on {wanted[0]}; {data.folder} has {', '.join(there) or 'no clip archive'}"
                "; run frame.py and opticalflow.py with the settings of the model"
            )


def check_camera(bundle: Bundle) -> None:
    """Raise Problem where the bundle's networks see what neither a camera nor a video file has."""
    for stream in bundle.streams:
        if not modality.TABLE[stream.modality].of_camera:
            parts = " and ".join(modality.TABLE[stream.modality].parts)
            raise Problem(
                f"{bundle.folder}: its network sees {parts}, and a video or camera has no more than colour; "
                "predict from a data set's archives with evaluate.py"
            )
