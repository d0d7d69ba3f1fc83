"""Stands in for recogniser.py where a test needs a session and an answer but no network."""

import time
from dataclasses import dataclass

from command import Problem

import numpy as np

import dataset

CLASSES = [dataset.Label("001", "wave"), dataset.Label("002", "push down"), dataset.Label("003", "none", "none")]


@dataclass
class Answer:
    ranked: list
    streams: dict
    seconds: dict
    frames: np.ndarray
    flow: np.ndarray | None


class Session:
    """Keeps what it is given; answers after `delay` seconds, or raises the Problem `failure`."""

    delay, failure = 0.0, ""

    def __init__(self):
        self.frames, self.times = [], []

    def push(self, frame, seconds):
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
        return Answer(ranked, streams, {"flow": 0.3, "rgb": 0.1}, frames, flow)


class Recogniser:
    classes = CLASSES

    def __init__(self):
        self.sessions = []

    @classmethod
    def load(cls, folder) -> "Recogniser":
        if not folder.is_dir():
            raise Problem(f"{folder}: no such folder")
        return cls()

    def name(self, label: str) -> str:
        return {row.label: row.name for row in self.classes}[label]

    def warm_up(self):
        pass

    def session(self) -> Session:
        self.sessions.append(Session())
        return self.sessions[-1]
