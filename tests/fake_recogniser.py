"""Stands in for recogniser.py where a test needs a session and an answer but no network; a live demo with it."""

import time
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from signs.clips.dataset import Label
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.command import Problem
from signs.inference.confidence import Calibration
from signs.inference.timing import Timings
from signs.live.demo import Demo, build_modes

import numpy as np

import tiny

CLASSES = [Label("001", "wave"), Label("002", "push down"), Label("003", "none", "none")]


@dataclass
class Answer:
    ranked: list
    streams: dict
    seconds: dict
    frames: np.ndarray
    flow: np.ndarray | None
    logits: dict
    known: bool = True
    fused: np.ndarray | None = None

    @property
    def confidence(self) -> float:
        return self.ranked[0][1]


class Session:
    """Keeps what it is given; answers after `delay` seconds, or raises the Problem `failure`."""

    delay, failure = 0.0, ""

    def __init__(self, length=None, given=False):
        self.frames, self.times, self.length, self.given, self.found = [], [], length, given, []
        self.recording, self.timings = SimpleNamespace(newest=None), Timings()

    def push(self, frame, seconds, found=None):
        self.found.append(found)
        self.frames.append(frame)
        self.times.append(seconds)

    def result(self) -> Answer:
        time.sleep(self.delay)
        if self.failure:
            raise Problem(self.failure)
        picture = self.frames[0].astype(int)
        side = "left" if picture[:, : picture.shape[1] // 2].sum() > picture.sum() / 2 else "right"
        print(f"recorded {len(self.frames)} frames, bright on the {side}", flush=True)
        ranked = [("002", 0.7), ("001", 0.2), ("003", 0.1)]
        streams = {"rgb": ranked, "flow": [("001", 0.9), ("002", 0.1)]}
        frames = np.stack(self.frames)
        flow = np.zeros((*frames.shape[:3], 2), np.float32)
        logits = {name: np.log([part for _, part in each]) for name, each in streams.items()}
        return Answer(ranked, streams, {"flow": 0.3, "rgb": 0.1}, frames, flow, logits)


class Recogniser:
    classes, labels, runtime, endless = CLASSES, [row.label for row in CLASSES], "keras", False
    bundle = SimpleNamespace(
        folder=Path("none"),
        place="",
        classes=CLASSES,
        spec=ClipSpec(StoredSpec("8", 64), InputSpec(8, 40, 32)),
        regions={"middle"},
        streams=[],
    )
    calibration = Calibration(threshold=0.5)

    def __init__(self):
        self.sessions, self.whole = [], self

    @classmethod
    def load(cls, folder, runtime="auto", live=False) -> "Recogniser":
        if not folder.is_dir():
            raise Problem(f"{folder}: no such folder")
        return cls()

    def name(self, label: str) -> str:
        return {row.label: row.name for row in self.classes}[label]

    def warm_up(self):
        pass

    def session(self, length=None, given=False) -> Session:
        self.sessions.append(Session(length, given))
        return self.sessions[-1]

    def rank(self, probabilities):
        order = np.argsort(-probabilities, kind="stable")
        return [(self.labels[index], float(probabilities[index])) for index in order]

    def recognise(self, recorded, timings) -> Answer:
        """As bright as the last picture is on the left: a wave; dark: nothing."""
        picture = recorded.images["rgb"][-1]
        wave = float(picture[:, : picture.shape[1] // 2].mean() > 44)
        probabilities = np.array([0.05 + 0.85 * wave, 0.05, 0.9 - 0.85 * wave])
        timings.add("rgb net", 0.001)
        return Answer(
            self.rank(probabilities), {}, {"rgb net": 0.001}, recorded.images["rgb"], None, {}, fused=probabilities
        )


def check_camera(bundle) -> None:
    """Its networks see colour, which every camera has."""


def write_video(path: Path) -> Path:
    """A bright left half that flickers; 2 s at 10 frames/s."""
    images = np.zeros((20, 120, 160, 3), np.uint8)
    images[:, :, :80] = 100 + 7 * np.arange(20)[:, None, None, None]
    return tiny.write_video(path, images)


def demo_of(recogniser, source, worker, countdown: float = 0.0, seconds: float = 60.0) -> Demo:
    """A demo whose recogniser has been loaded."""
    loading = Future()
    loading.set_result(recogniser)
    return Demo(source, loading, lambda loaded: build_modes(loaded, worker, countdown, seconds, 2.0))
