"""From frames to ranked labels: the one path to a prediction, for files, archives, evaluation and the live demo.

    recogniser = Recogniser.load("model/chalearn")
    label, probability = recogniser.predict(frames, times)[0]

Frames are kept, resized and coded exactly as frame.py and opticalflow.py store them, so that a network sees the same
8-bit values here as in training. Each stream's logits go through a softmax; the streams' probabilities are averaged,
plainly unless evaluate.py found better weights on the validation clips. The networks run in Keras, or in the quickest
form that export.py made of them and found to agree.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from signs.clips import modality, posture, preprocess, storage
from signs.clips.dataset import STEPS, Dataset
from signs.clips.footage import Footage, read_kept
from signs.clips.points import PointRecorder, Points
from signs.command import Problem
from signs.flow.stream import compile_solver
from signs.inference import exported, quickest, shared
from signs.inference.address import known_as
from signs.inference.bundle import Bundle, Stream, load_bundle
from signs.inference.confidence import load_calibration
from signs.inference.predictions import probabilities_of
from signs.inference.recording import Recorded, Recording, point_stream
from signs.inference.runtime import KERAS, Form, cores
from signs.inference.session import Answer, Following, Session
from signs.inference.stored_model import on_this_disc
from signs.inference.streaming import WhileRecording
from signs.inference.timing import Timings

import numpy as np


class Recogniser:
    """A loaded bundle. Not for several threads at once.

    networks: {stream: network}, see runtime.py; form: what they are, None for Keras; together: whether the streams'
    networks run side by side, each on its share of the cores.
    """

    def __init__(self, bundle: Bundle, networks: dict, form: Form | None = None, together: bool = False):
        self.bundle, self.networks, self.form = bundle, networks, form
        self.calibration = load_calibration(bundle.folder, bundle.hashes)
        if self.calibration.weights and self.calibration.weights.keys() != networks.keys():
            raise Problem(f"{bundle.folder}: calibration.json weighs streams that it has not; run evaluate.py again")
        self.classes = bundle.classes
        self.labels = [row.label for row in bundle.classes]
        self._rows = dict(zip(self.labels, bundle.classes, strict=True))
        self._pool = ThreadPoolExecutor(len(networks)) if together else None
        self.whole = self  # the same model in the form that is the quickest for clips that are over

    @classmethod
    def load(cls, folder: Path, runtime: str = exported.AUTO, live: bool = False) -> "Recogniser":
        """Read a bundle; raises Problem where it is missing, of another format or changed.

        Args:
            folder: of the bundle, or the zip that share.py made of one; or where one lies, as open_model takes it.
            runtime: "keras", a form of runtime.py that export.py made, or "auto": the quickest here that agrees.
            live: the quickest after the last frame of a recording, rather than in all; `whole` is then the other.
        """
        bundle = load_bundle(on_this_disc(folder)) if runtime == KERAS else shared.open_model(folder)
        with known_as(folder, bundle.folder):
            rows = quickest.rows_here(bundle) if runtime == exported.AUTO else exported.read_forms(bundle)
            recogniser = cls._open(bundle, rows, exported.choose_form(bundle, rows, runtime, live))
            if recogniser.form and recogniser.works_while_recording and runtime == exported.AUTO:
                recogniser.whole = cls._open(bundle, rows, exported.choose_form(bundle, rows, runtime))
        return recogniser

    @classmethod
    def _open(cls, bundle: Bundle, rows: dict, form: Form | None) -> "Recogniser":
        together = form is not None and rows[form.name]["together"]
        threads = max(1, cores() // len(bundle.streams)) if together else None
        return cls(bundle, exported.open_networks(bundle, form, threads), form, together)

    @property
    def models(self) -> dict:
        """{stream: keras.Model}; of a recogniser that runs in Keras."""
        return {name: network.model for name, network in self.networks.items()}

    @property
    def works_while_recording(self) -> bool:
        """Whether the networks can work while a clip is recorded."""
        able = all(isinstance(network, WhileRecording) for network in self.networks.values())
        return able and exported.works_while_recording(self.bundle)

    @property
    def endless(self) -> bool:
        """Whether they can go on for ever, so that each frame of an endless picture costs a step."""
        return self.works_while_recording and all(network.endless for network in self.networks.values())

    @property
    def runtime(self) -> str:
        """The name of the form that runs."""
        return self.form.name if self.form else KERAS

    def name(self, label: str) -> str:
        """The readable name of a label."""
        return self._rows[label].name

    def predict(self, frames: np.ndarray, times: np.ndarray) -> list[tuple[str, float]]:
        """frames (T, H, W, 3) uint8 RGB, times (T,) seconds -> (label, probability), best first."""
        return self.answer(frames, times).ranked

    def answer(self, frames: np.ndarray, times: np.ndarray, points: Points | None = None) -> Answer:
        """As `predict`, with each stream's answer, the seconds each step took, and what was kept of the clip.

        points: of the same clip, where they are found already and the frames are no longer all there, or small.
        """
        stored, length = self.bundle.spec.stored, float(times[-1]) - float(times[0])
        recording = Recording(stored if points is None else replace(stored, landmark=None), self.bundle.regions, length)
        for frame, seconds in zip(frames, times, strict=True):
            recording.push(frame, float(seconds))
        return self.recognise(recording.finish(points), recording.timings)

    def answer_video(self, path: Path | Footage, read: Callable = read_kept) -> tuple[Answer, list[str]]:
        """The answer to a video file and what is odd about the file, one line each; memory does not grow with its
        length. Raises Problem where it cannot be read.

        read: what reads the file, as `read_kept` does."""
        stored, timings = self.bundle.spec.stored, Timings()
        stream = point_stream(stored)
        recorder = stream and PointRecorder(stream.push, stored.landmark.rate)

        def look(frame: np.ndarray, seconds: float) -> None:
            with timings.measure("landmarks"):
                recorder.push(frame, seconds)

        frames, times, notes = read(path, stored, each=look if recorder else None)
        answer = self.answer(frames, times, recorder and recorder.points())
        answer.seconds.update(timings.sums())
        return answer, [*notes, *(stream.notes if stream else [])]

    def recognise(self, clip: Recorded, timings: Timings) -> Answer:
        """What was kept of a clip -> its answer; the networks' steps are added to `timings`."""

        def run(stream: Stream) -> tuple[str, np.ndarray]:
            with timings.measure(f"{stream.name} net"):
                inputs = self.input(stream, _pictures(stream, clip.images), clip.squares)
                return stream.name, self.logits(stream, inputs)[0]

        logits = dict(self._pool.map(run, self.bundle.streams) if self._pool else map(run, self.bundle.streams))
        return self.conclude(logits, timings.sums(), clip.images["rgb"], clip.flow)

    def conclude(self, logits: dict[str, np.ndarray], seconds: dict[str, float], frames, flow) -> Answer:
        """{stream: (classes,) logits} -> the answer."""
        probabilities = {name: probabilities_of(row, len(self.labels)) for name, row in logits.items()}
        fused = self.calibration.fuse(probabilities)
        ranked = self.rank(self.calibration.calibrated(fused))
        known = self.calibration.known(ranked[0][1], self._rows[ranked[0][0]].kind == "gesture")
        streams = {name: self.rank(row) for name, row in probabilities.items()}
        return Answer(ranked, streams, logits, fused, seconds, frames, flow, known)

    def input(self, stream: Stream, images: np.ndarray | Points, squares: dict) -> np.ndarray:
        """A clip as `modality.read_stored` gives it, (T, H, W, C) uint8 and where the signer is by region -> (views,
        frames, *picture, C) float32; of Points (1, frames, values)."""
        spec = self.bundle.spec_of(stream)
        if isinstance(images, Points):
            return posture.seen(images, spec.input)[None]
        bound = modality.TABLE[stream.modality].bound(spec.stored)
        images, magnified = preprocess.cut_out(images, spec.input, squares)
        picked = spec.input.pick_views(len(images))
        return np.stack([preprocess.network_input(images[i], spec.input, bound, magnified=magnified) for i in picked])

    def input_frames(self, stream: Stream, images: dict[str, np.ndarray]) -> np.ndarray:
        """Some frames of a clip as recorded, {modality: (t, H, W, 3 or 2) uint8} -> (t, crop, crop, C) float32.

        Only where the networks work while recording: then no frame depends on another.
        """
        spec = self.bundle.spec_of(stream)
        bound = modality.TABLE[stream.modality].bound(spec.stored)
        return preprocess.network_input(_pictures(stream, images), spec.input, bound)

    def logits(self, stream: Stream, batch: np.ndarray) -> np.ndarray:
        """(B * views, frames, crop, crop, C) float32 -> (B, classes that the stream knows), averaged over the views of
        each clip."""
        try:
            logits = self.networks[stream.name].logits(batch)
        except Exception as error:
            if self.form is None:
                raise
            raise self._other(stream, f"does not take {list(batch.shape)}") from error
        if logits.shape[-1] != (known := stream.arguments["classes"]):
            raise self._other(stream, f"tells {logits.shape[-1]} classes apart, and bundle.json says {known}")
        if not np.isfinite(logits).all():
            raise self._other(stream, "gives no numbers")
        return logits.reshape(-1, self.bundle.spec_of(stream).input.views, logits.shape[-1]).mean(axis=1)

    def _other(self, stream: Stream, how: str) -> Problem:
        """A network that is not what the bundle says."""
        return Problem(f"{self.bundle.folder}: its network {stream.name} {how}; get a whole copy of the model")

    def rank(self, probabilities: np.ndarray) -> list[tuple[str, float]]:
        """(classes,) -> (label, probability), best first."""
        order = np.argsort(-probabilities, kind="stable")
        return [(self.labels[index], float(probabilities[index])) for index in order]

    def warm_up(self) -> None:
        """Run each network once on zeros: the first call builds its graph. Open those that find points."""
        point_stream(self.bundle.spec.stored)
        if self.bundle.spec.stored.flow:
            compile_solver()
        for stream in self.bundle.streams:
            zeros = np.zeros(self.bundle.input_shape(stream), np.float32)
            if self.works_while_recording:  # frame by frame: each number of frames at once has its own graph
                network = self.networks[stream.name]
                network.reset()
                for frame in zeros[0]:
                    network.push(frame[None])
                    network.answer()
            if self.form is None or not self.works_while_recording:
                self.logits(stream, zeros)
        if self.whole is not self:
            self.whole.warm_up()

    def session(self, length: float | None = None, given: bool = False) -> Session:
        """A sign that is about to be recorded; `length` seconds long, where that is known beforehand; with points that
        are `given` with its frames or, where the bundle sees points, are found while it is recorded.

        Then frames are kept and flow is computed while it lasts; a bundle whose clips are stored at a rate does so
        without it.
        """
        return Session(self, length, given)

    def following(self, span: int) -> Following:
        """An endless picture, named by its last `span` kept frames; where `endless`."""
        return Following(self, span)


def _pictures(stream: Stream, images: dict[str, np.ndarray]) -> np.ndarray:
    """What a stream sees of a clip as recorded, (T, H, W, C) uint8 or Points, as `modality.read_stored` gives it of a
    stored clip.

    images: {modality: (T, H, W, 3 or 2) uint8, or Points}.
    """
    kind = modality.TABLE[stream.modality]
    if kind.kind == "landmark":
        return images["landmark"]
    return kind.pictures([images["flow" if stream.modality == "flow" else "rgb"]])


def check_store(bundle: Bundle, data: Dataset) -> None:
    """Raise Problem where the data set lacks what the bundle's networks were trained on, e.g. another flow method."""
    folders = [path for kind in STEPS for path in sorted(data.folder.glob(f"{kind}-*"))]
    stores = [path.name for path in folders if path.is_dir()]
    have = ", ".join(stores) or "no clip archive"
    points = [modality.TABLE["landmark"]] if bundle.spec.stored.landmark else []
    for kind in [*(modality.TABLE[stream.modality] for stream in bundle.streams), *points]:
        for store in kind.stores(bundle.spec.stored):
            if store not in stores:
                step = f"run {STEPS[kind.kind]} with the settings of the model"
                raise Problem(f"{bundle.folder} was trained on {store}; {data.folder} has {have}; {step}")
    trained = bundle.spec.stored.landmark
    if trained and trained != (found := storage.find_landmarks(data)):
        ways = [f"chain {spec.chain}, networks {spec.networks}" for spec in (trained, found)]
        what = f"points that were found in one way ({ways[0]}); {data.folder} has others ({ways[1]})"
        raise Problem(f"{bundle.folder} was trained on {what}; run landmark.py and train it again")


def check_camera(bundle: Bundle) -> None:
    """Raise Problem where the bundle's networks see what neither a camera nor a video file has."""
    for row in (modality.TABLE[stream.modality] for stream in bundle.streams):
        if not row.of_camera:
            why = f"its network sees {' and '.join(row.parts)}, and a video or camera has no more than colour"
            raise Problem(f"{bundle.folder}: {why}; predict from a data set's archives with evaluate.py")
