"""From frames to ranked labels: the one path to a prediction, for files, archives, evaluation and the live demo.

    recogniser = Recogniser.load("model/chalearn")
    label, probability = recogniser.predict(frames, times)[0]

Frames are kept, resized and coded exactly as frame.py and opticalflow.py store them, so that a network sees the same
8-bit values here as in training. Each stream's logits go through a softmax; the streams' probabilities are averaged,
plainly unless evaluate.py found better weights on the validation clips.
"""

import importlib
import time
from dataclasses import dataclass
from pathlib import Path

from command import Problem

import keras
import numpy as np

import bundle as bundles
import calibration
import clip
import dataset
import opticalflow
import region
from predictions import softmax


@dataclass(frozen=True)
class Answer:
    """What was recognised in one clip.

    ranked: (label, probability), best first; streams: the same for each stream alone; seconds: by step;
    frames (T, H, W, 3) uint8 RGB and flow (T, H, W, 2) float32 pixels, or None: what was kept of the clip;
    confidence: how sure the best is, calibrated; known: whether that is enough for an answer (calibration.py).
    """

    ranked: list[tuple[str, float]]
    streams: dict[str, list[tuple[str, float]]]
    seconds: dict[str, float]
    frames: np.ndarray
    flow: np.ndarray | None
    confidence: float
    known: bool


def network_module(stream: bundles.Stream):
    """The module that the network of a stream is from, e.g. model_i3d."""
    return importlib.import_module(bundles.NETWORKS[stream.network][0])


def build(stream: bundles.Stream) -> keras.Model:
    """The network of a stream, from our own table of builders, not yet with its weights."""
    return getattr(network_module(stream), bundles.NETWORKS[stream.network][1])(**stream.arguments)


class Recogniser:
    """A loaded bundle. Not for several threads at once."""

    def __init__(self, bundle: bundles.Bundle, models: dict[str, keras.Model]):
        self.bundle, self.models = bundle, models
        self.calibration = calibration.load(bundle.folder, bundle.hashes)
        self.classes = bundle.classes
        self.labels = [row.label for row in bundle.classes]
        self._names = {row.label: row.name for row in bundle.classes}
        self._gestures = {row.label for row in bundle.classes if row.kind == "gesture"}

    @classmethod
    def load(cls, folder: Path) -> "Recogniser":
        """Read a bundle; raises Problem where it is missing, of another format or changed."""
        bundle, models = bundles.load(folder), {}
        for stream in bundle.streams:
            try:
                model = build(stream)
                model.load_weights(bundle.weights(stream))
            except (ValueError, TypeError, OSError) as error:
                reason = " ".join(str(error).split())
                raise Problem(f"{bundle.weights(stream)}: not the weights of this network ({reason})") from None
            # After its weights, or Keras warns of an optimiser that is not there. On a CPU XLA is slower.
            model.compile(jit_compile=False)
            models[stream.name] = model
        return cls(bundle, models)

    def name(self, label: str) -> str:
        """The readable name of a label."""
        return self._names[label]

    def predict(self, frames: np.ndarray, times: np.ndarray) -> list[tuple[str, float]]:
        """frames (T, H, W, 3) uint8 RGB, times (T,) seconds -> (label, probability), best first."""
        return self.answer(frames, times).ranked

    def answer(self, frames: np.ndarray, times: np.ndarray) -> Answer:
        """As `predict`, with each stream's answer, the seconds each step took, and what was kept of the clip."""
        seconds, started = {}, time.perf_counter()
        stored = self.bundle.spec.stored
        times = np.asarray(times, float)
        kept = stored.keep(times)
        if stored.flow and stored.flow.flow_from == "video":
            every = np.stack([stored.resize(frame) for frame in frames])
            small = every[kept]
        else:
            every, small = None, np.stack([stored.resize(frames[index]) for index in kept])
        images = {"rgb": clip.as_stored(small, stored.quality)}
        square = region.signer_square(small) if self.bundle.spec.input.region == "signer" else None
        seconds["frames"], started = time.perf_counter() - started, time.perf_counter()
        flow = self._flow(images["rgb"], every, times, kept) if stored.flow else None
        if flow is not None:
            images["flow"] = clip.as_stored(clip.quantise_flow(flow, stored.flow.bound), stored.flow.quality)
            seconds["flow"] = time.perf_counter() - started
        probabilities = {}
        for stream in self.bundle.streams:
            started = time.perf_counter()
            batch = self.input(stream, images[stream.modality], square)
            probabilities[stream.name] = softmax(self.logits(stream, batch))[0]
            seconds[f"{stream.name} net"] = time.perf_counter() - started
        fused = self.calibration.fuse(probabilities)
        ranked = self.rank(fused)
        confidence = float(self.calibration.calibrated(fused).max())
        known = self.calibration.known(confidence, ranked[0][0] in self._gestures)
        streams = {name: self.rank(row) for name, row in probabilities.items()}
        return Answer(ranked, streams, seconds, images["rgb"], flow, confidence, known)

    def _flow(self, images, every, times, kept) -> np.ndarray:
        stored = self.bundle.spec.stored
        if every is not None:
            return opticalflow.video_flow(every, times, stored)
        return opticalflow.clip_flow(images, times[kept], stored.flow)

    def input(self, stream: bundles.Stream, images: np.ndarray, square: list[float] | None) -> np.ndarray:
        """(T, H, W, C) uint8 as stored, and `region.signer_square` -> (views, frames, crop, crop, C) float32."""
        spec = self.bundle.spec
        bound = spec.stored.flow.bound if stream.modality == "flow" else None
        images, magnified = clip.cut_out(images, spec.input, square)
        picked = spec.input.pick_views(len(images))
        return np.stack([clip.network_input(images[i], spec.input, bound, magnified=magnified) for i in picked])

    def logits(self, stream: bundles.Stream, batch: np.ndarray) -> np.ndarray:
        """(B * views, frames, crop, crop, C) float32 -> (B, classes), averaged over the views of each clip."""
        logits = np.asarray(self.models[stream.name].predict_on_batch(batch))
        return logits.reshape(-1, self.bundle.spec.input.views, logits.shape[-1]).mean(axis=1)

    def rank(self, probabilities: np.ndarray) -> list[tuple[str, float]]:
        """(classes,) -> (label, probability), best first."""
        order = np.argsort(-probabilities, kind="stable")
        return [(self.labels[index], float(probabilities[index])) for index in order]

    def warm_up(self) -> None:
        """Run each network once on zeros: the first call builds its graph."""
        if self.bundle.spec.stored.flow:
            opticalflow.compile_solver()
        for stream in self.bundle.streams:
            views = self.bundle.spec.input.views
            self.logits(stream, np.zeros((views, *stream.arguments["input_shape"]), np.float32))

    def session(self) -> "Session":
        return Session(self)


class Session:
    """One sign that is being recorded."""

    def __init__(self, recogniser: Recogniser):
        self.recogniser = recogniser
        self._stored = recogniser.bundle.spec.stored
        self._frames, self._times = [], []

    def push(self, frame: np.ndarray, seconds: float) -> None:
        """frame (H, W, 3) uint8 RGB, not mirrored; seconds on any clock that only goes forward."""
        if self._times and seconds <= self._times[-1]:
            return  # a camera that sends a frame twice
        self._frames.append(self._stored.resize(frame))
        self._times.append(seconds)

    def result(self) -> Answer:
        """Recognise what was pushed; raises Problem where that is nothing."""
        if not self._frames:
            raise Problem("no frame came while recording; is the camera still connected?")
        return self.recogniser.answer(np.stack(self._frames), np.array(self._times))


def check_store(bundle: bundles.Bundle, data: dataset.Dataset) -> None:
    """Raise Problem where the data set lacks what the bundle's networks were trained on, e.g. another flow method."""
    for stream in bundle.streams:
        wanted = bundle.spec.stored.flow_store if stream.modality == "flow" else bundle.spec.stored.frame_store
        if wanted not in data.stores("flow" if stream.modality == "flow" else "frame"):
            raise Problem(
                f"{bundle.folder} was trained on {wanted}; {data.folder} has "
                f"{', '.join(data.stores('frame') + data.stores('flow')) or 'no clip archive'}; "
                "run frame.py and opticalflow.py with the settings of the model"
            )
