"""Turned squares of a picture: where a network of points looks, and how its points come back.

    square = square_along(hips, head)            upright for the network, whatever the person's turn
    patch = square.cut(picture, 256)             (256, 256, 3)
    points = square.to_picture(shares)           shares of the square -> pixels of the picture

Angles, sizes and shifts are those of MediaPipe's public graphs (Lugaresi et al. 2019), so that its networks see what
they were trained with.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

COARSE = 4  # pixels of the picture for one of the network's, from which they are averaged; MediaPipe skips them


@dataclass(frozen=True)
class Square:
    """x, y: its centre, size: its side, pixels of the picture; angle: radians by which it is turned clockwise."""

    x: float
    y: float
    size: float
    angle: float = 0.0

    @property
    def axes(self) -> np.ndarray:
        """(2, 2): the square's right and down in the picture, each as long as its side."""
        cosine, sine = self.size * math.cos(self.angle), self.size * math.sin(self.angle)
        return np.array([[cosine, sine], [-sine, cosine]])

    def scaled(self, factor: float, up: float = 0.0) -> "Square":
        """A square `factor` times as large, after it was moved towards its own top by `up` of its side."""
        x, y = np.array([self.x, self.y]) - up * self.axes[1]
        return Square(float(x), float(y), self.size * factor, self.angle)

    def to_picture(self, shares: np.ndarray) -> np.ndarray:
        """(..., 2) shares of the square, (0, 0) its upper left corner -> (..., 2) pixels of the picture."""
        return (shares - 0.5) @ self.axes + (self.x, self.y)

    def to_shares(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) pixels of the picture -> (..., 2) shares of the square."""
        return (points - (self.x, self.y)) @ self.axes.T / self.size**2 + 0.5

    def cut(self, picture: np.ndarray, side: int, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
        """(H, W, 3) uint8 -> (side, side, 3) uint8 of this square; `border`: what is beyond the picture."""
        across, down = self.axes / side
        corner = self.to_picture(np.zeros(2))
        matrix = np.array([[across[0], down[0], corner[0]], [across[1], down[1], corner[1]]])
        if self.size > COARSE * side:  # most pixels would be skipped: average them first
            picture, matrix = self._halved(picture, matrix, side)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(picture, matrix, (side, side), flags=flags, borderMode=border)

    def _halved(self, picture: np.ndarray, matrix: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
        """What of the picture the square covers, made smaller, and the matrix that fits it."""
        corners = self.to_picture(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float))
        height, width = picture.shape[:2]
        left, top = np.clip(np.floor(corners.min(axis=0)), 0, (width - 1, height - 1)).astype(int)
        right, bottom = np.clip(np.ceil(corners.max(axis=0)) + 1, (left + 1, top + 1), (width, height)).astype(int)
        part = picture[top:bottom, left:right]
        sizes = [max(1, round(length * side / self.size)) for length in part.shape[1::-1]]
        factors = np.array([new / old for new, old in zip(sizes, part.shape[1::-1], strict=True)])
        small = cv2.resize(part, sizes, interpolation=cv2.INTER_AREA)
        # Centres of pixels lie at half pixels.
        offset = (matrix[:, 2] - (left, top) + 0.5) * factors - 0.5
        return small, np.column_stack([matrix[:, :2] * factors[:, None], offset])


def square_along(start: np.ndarray, end: np.ndarray, size: float, downwards: bool = False) -> Square:
    """The square round `start`, (2,) pixels, that is upright where `end` lies above it, or below it (`downwards`)."""
    x, y = end - start
    angle = (-0.5 if downwards else 0.5) * math.pi - math.atan2(-y, x)
    return Square(float(start[0]), float(start[1]), float(size), (angle + math.pi) % (2 * math.pi) - math.pi)
