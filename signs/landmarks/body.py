"""The points of a body in a square of a picture: MediaPipe's pose landmarks, and the square for the next frame.

    found = BodyNetwork(network).look(picture, square)
    found.points, found.presence, found.square

39 points are given: 33 of the body, and two that span the circle round it, from which the next square comes. They are
refined by the network's heat maps, as in MediaPipe's graph (Bazarevsky et al. 2020, BlazePose).
"""

from dataclasses import dataclass

from signs.landmarks.detector import ENLARGED, sigmoid
from signs.landmarks.square import Square, square_along

import numpy as np

SIDE = 256  # pixels of the network's input
POINTS = 33
CENTRE, AROUND = 33, 34  # of the circle round the body
NEAR = 3  # cells of a heat map on each side of a point that refine it
SURE = 0.5  # of a cell's presence, from which its neighbourhood refines a point


@dataclass(frozen=True)
class Body:
    """points: (33, 4) float32, x, y, z in pixels of the picture (z from the hips, towards the camera negative) and
    visibility; presence: 0 to 1, of a body in the square that was looked at; square: for the next frame."""

    points: np.ndarray
    presence: float
    square: Square


class BodyNetwork:
    """network: (1, 256, 256, 3) float32 in [0, 1] -> [(1, 195) points, (1, 1) presence, (1, 64, 64, 39) heat maps]."""

    def __init__(self, network):
        self._network = network

    def look(self, picture: np.ndarray, square: Square) -> Body:
        patch = square.cut(picture, SIDE)
        coded, presence, heat = self._network(np.float32(patch)[None] / 255)
        rows = coded.reshape(39, 5)
        shares = refined(rows[:, :2] / SIDE, heat[0])
        places = square.to_picture(shares)
        points = np.empty((POINTS, 4), np.float32)
        points[:, :2] = places[:POINTS]
        points[:, 2] = rows[:POINTS, 2] / SIDE * square.size
        points[:, 3] = sigmoid(rows[:POINTS, 3])
        size = 2 * float(np.hypot(*(places[AROUND] - places[CENTRE])))
        following = square_along(places[CENTRE], places[AROUND], size).scaled(ENLARGED)
        return Body(points, float(presence.item()), following)


def refined(shares: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Points moved to the middle of their heat map round them, where that is sure of them.

    Args:
        shares: (P, 2) of the square; heat: (h, w, P) logits.
    """
    height, width = heat.shape[:2]
    moved = shares.astype(np.float64)
    for index, (x, y) in enumerate(shares):
        column, row = int(x * width), int(y * height)
        if not (0 <= column < width and 0 <= row < height):
            continue
        left, top = max(0, column - NEAR), max(0, row - NEAR)
        weights = sigmoid(heat[top : row + NEAR + 1, left : column + NEAR + 1, index])
        if weights.max() >= SURE and weights.sum() > 0:
            rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]]
            total = weights.sum()
            moved[index] = (
                (np.sum(weights * columns) / total + left) / width,
                (np.sum(weights * rows) / total + top) / height,
            )
    return moved
