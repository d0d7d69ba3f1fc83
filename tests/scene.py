"""Networks that find what a test says, and the real ones, where they have been fetched."""

from signs.landmarks import models
from signs.landmarks.body import Body
from signs.landmarks.detector import Person
from signs.landmarks.hand import Hand
from signs.landmarks.square import Square
from signs.landmarks.stream import LandmarkStream

import numpy as np
import pytest


def real_networks() -> models.Networks:
    """MediaPipe's own; a test that asks for them is skipped where they were not fetched."""
    if models.missing():
        pytest.skip("the networks that find hands are not there; python landmark.py --data ... fetches them")
    return models.networks_here()


def body_at(x: float, y: float, width: float = 40.0, wrist: float = 0.0) -> np.ndarray:
    """(33, 4): a person whose shoulders are `width` pixels apart round (x, y); wrist: how far both hands are up."""
    points = np.zeros((33, 4), np.float32)
    points[:, :2], points[:, 3] = (x, y), 1.0
    points[11, 0], points[12, 0] = x + width / 2, x - width / 2
    points[[23, 24], 1] += 1.5 * width
    for side, (hand, little, index) in enumerate(((15, 17, 19), (16, 18, 20))):
        points[[hand, little, index], 0] += (1 - 2 * side) * width
        points[hand, 1] += width - wrist
        points[[little, index], 1] += width - wrist + 10
    return points


class Scene:
    """Stands in for the networks: `people` are (33, 4) bodies now; a square finds the one that it is near."""

    def __init__(self):
        self.people, self.hands, self.searched = [], 0.9, []

    def square(self, body: np.ndarray) -> Square:
        x, y = body[11:13, :2].mean(axis=0)
        return Square(float(x), float(y), 200.0)

    def find(self, picture, part=None):
        self.searched.append("picture" if part is None else "part")
        squares = [self.square(body) for body in self.people]
        return [
            Person(0.9, np.zeros(4), np.array([at.x, at.y]), np.array([at.x, at.y - at.size / 2.5])) for at in squares
        ]

    def find_far(self, picture):
        self.searched.append("far")
        return []

    def look(self, picture, square, *hand):
        if hand:
            return self._hand(square, hand[0])
        near = [
            body
            for body in self.people
            if np.hypot(self.square(body).x - square.x, self.square(body).y - square.y) < 60
        ]
        if not near:
            return Body(body_at(0, 0), 0.0, square)
        return Body(near[0], 0.99, self.square(near[0]))

    def _hand(self, body, side):
        if np.isnan(body[0, 0]):
            return None
        wrist = body[15 + side, :3]
        return Hand(np.tile(wrist, (21, 1)), self.hands, Square(float(wrist[0]), float(wrist[1]), 30.0))

    def stream(self) -> LandmarkStream:
        stream = LandmarkStream(models.Networks(None, None, None, None))
        stream._detector = stream._body = stream._hands = self
        return stream
