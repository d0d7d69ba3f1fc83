"""Where people are in a picture: MediaPipe's pose detector, whose anchors, boxes and points are decoded here.

    people = Detector(network).find(picture)         the likeliest first
    square = people[0].square                        where the network of body points is to look

A person far away is smaller than the detector knows: where nobody is found, `find_far` looks into enlarged parts of the
picture too. Anchors: Liu et al. 2016 (SSD); the choices are those of MediaPipe's graph pose_detection.
"""

from dataclasses import dataclass

from signs.landmarks.square import Square, square_along

import cv2
import numpy as np

SIDE = 224  # pixels of the network's input
GRIDS = ((28, 2), (14, 2), (7, 6))  # cells along a side, anchors in each
ENOUGH = 0.5  # score from which a person is one
OVERLAP = 0.3  # intersection over union from which two boxes are of one person
ENLARGED = 1.25  # of the square that the detector's two points span
PARTS = (2, 3)  # an enlarged part is a half, then a third, of the picture's long side


def anchors() -> np.ndarray:
    """(2254, 2) float32: the centre of each anchor, shares of the input, in the order of the network's answers."""
    centres = []
    for cells, each in GRIDS:
        y, x = np.mgrid[:cells, :cells].reshape(2, -1)
        centres.append(np.repeat((np.stack([x, y], axis=1) + 0.5) / cells, each, axis=0))
    return np.concatenate(centres).astype(np.float32)


@dataclass(frozen=True)
class Person:
    """score: 0 to 1; box: of the head, left, top, right, bottom; hips, around: the middle of the hips and a point on
    the circle round the whole body, above it where the person stands; all in pixels of the picture."""

    score: float
    box: np.ndarray
    hips: np.ndarray
    around: np.ndarray

    @property
    def square(self) -> Square:
        size = 2 * float(np.hypot(*(self.around - self.hips)))
        return square_along(self.hips, self.around, size).scaled(ENLARGED)


class Detector:
    """network: (1, 224, 224, 3) float32 in [-1, 1] -> [boxes and points (1, 2254, 12), logits (1, 2254, 1)]."""

    def __init__(self, network):
        self._network, self._anchors = network, anchors()

    def find(self, picture: np.ndarray, part: Square | None = None) -> list[Person]:
        """Who is in a picture, (H, W, 3) uint8 RGB, or in a square part of it; the likeliest first."""
        height, width = picture.shape[:2]
        part = part or Square(width / 2, height / 2, max(height, width))
        patch = part.cut(picture, SIDE, cv2.BORDER_CONSTANT)
        coded, logits = self._network(np.float32(patch)[None] / 127.5 - 1)
        scores = sigmoid(logits.ravel())
        likely = np.flatnonzero(scores >= ENOUGH)
        found = self._decoded(coded[0, likely], self._anchors[likely])
        return [
            Person(score, *_split(part.to_picture(points))) for score, points in merged(found, scores[likely], OVERLAP)
        ]

    @staticmethod
    def _decoded(coded: np.ndarray, centres: np.ndarray) -> np.ndarray:
        """(N, 12) as the network gives them -> (N, 6, 2) shares of the input: two corners of the box, four points."""
        pairs = coded.reshape(-1, 6, 2) / SIDE
        centre, half = pairs[:, 0] + centres, pairs[:, 1] / 2
        return np.concatenate(
            [np.stack([centre - half, centre + half], axis=1), pairs[:, 2:] + centres[:, None]], axis=1
        )

    def find_far(self, picture: np.ndarray) -> list[Person]:
        """Who is found in enlarged parts of a picture, the likeliest first; larger parts before smaller ones."""
        for parts in PARTS:
            people = [person for part in enlarged_parts(picture, parts) for person in self.find(picture, part)]
            if people:
                return people
        return []


def _split(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return points[:2].ravel(), points[2], points[3]


def enlarged_parts(picture: np.ndarray, parts: int) -> list[Square]:
    """Squares as large as the picture's long side / `parts`, half over each other, those in the middle first."""
    height, width = picture.shape[:2]
    side = max(height, width) / parts
    across, down = (
        np.linspace(side / 2, length - side / 2, max(1, int(np.ceil(2 * length / side)) - 1))
        if length > side
        else np.array([length / 2])
        for length in (width, height)
    )
    centres = [(x, y) for y in down for x in across]
    centres.sort(key=lambda centre: abs(centre[0] - width / 2) + abs(centre[1] - height / 2))
    return [Square(float(x), float(y), side) for x, y in centres]


def merged(points: np.ndarray, scores: np.ndarray, overlap: float) -> list[tuple[float, np.ndarray]]:
    """Boxes of one thing made into one, by the mean weighted with the scores (MediaPipe's weighted suppression).

    Args:
        points: (N, P, 2), of which the first two are the corners of a box.
        scores: (N,)
    Returns: (score, (P, 2)) of each thing, the likeliest first.
    """
    left, found = list(np.argsort(-scores, kind="stable")), []
    while left:
        best = left[0]
        same = np.array([index for index in left if index == best or iou(points[best], points[index]) > overlap])
        weights = scores[same] / scores[same].sum()
        found.append((float(scores[best]), np.tensordot(weights, points[same], axes=1)))
        left = [index for index in left if index not in same]
    return found


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes, (>=2, 2): upper left, lower right."""
    sides = np.minimum(one[1], other[1]) - np.maximum(one[0], other[0])
    common = float(np.prod(np.maximum(sides, 0)))
    both = float(np.prod(one[1] - one[0]) + np.prod(other[1] - other[0])) - common
    return common / both if both > 0 else 0.0


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -50, 50)))
