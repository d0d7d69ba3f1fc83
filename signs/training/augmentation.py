"""What is drawn at random for each clip and epoch of a training, and how pictures are turned by it.

Shifts along x and y and brightness are those of Sarhan & Frintrop (2020); the rest came after, and is off unless asked
for. A flow field is turned with its vectors: the picture of a movement to the left, upside down, moves to the right.
"""

from dataclasses import dataclass, replace

from signs.clips import preprocess, region
from signs.training.options import option

import cv2
import numpy as np


@dataclass(frozen=True)
class Drawn:
    """One clip's: `shift` (x, y) as shares of the crop, `brightness` (3,) factors, `zoom` a factor, `part` (first,
    last) as shares of the clip's length, `degrees` anticlockwise, `flipped` left to right."""

    shift: np.ndarray
    brightness: np.ndarray
    zoom: float
    part: tuple[float, float]
    degrees: float
    flipped: bool

    def turn(self, images: np.ndarray, bound: float | None = None, hands: bool = False) -> np.ndarray:
        """(T, H, W, C) uint8 -> the same, rotated and flipped; beyond the edge the border pixel is repeated.

        Args:
            bound: pixels that the flow was coded with; None for RGB.
            hands: the pictures are those of `region.cut_hands`, of which each is turned by itself.
        """
        if not self.degrees and not self.flipped:
            return images
        if hands:
            images = region.exchanged(images) if self.flipped else images
            alone = replace(self, flipped=False)
            return np.concatenate([alone.turn(half, bound) for half in np.split(images, 2, axis=1)], axis=1)
        height, width = images.shape[1:3]
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), self.degrees, 1)
        if self.flipped:
            matrix[0] = np.array([0, 0, width - 1]) - matrix[0]
        turned = np.stack(
            [cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE) for image in images]
        ).reshape(images.shape)
        if bound is None:
            return turned
        vectors = preprocess.restore_flow(turned, bound) @ np.float32(matrix[:, :2]).T
        return preprocess.quantise_flow(vectors, bound)


@dataclass(frozen=True)
class Augmentation:
    """What is drawn at random for each clip and epoch.

    mixup: after Zhang et al., mixup, 2018; smoothing: after Szegedy et al. 2016. flip: half of the clips are seen in a
    mirror, for people who sign with either hand; swaps: labels that become each other there, all others stay.
    """

    shift: float = option(0.1, "largest move of the crop along x and along y, as a share of it", least=0)
    brightness: float = option(0.2, "RGB values times 1 +- this", least=0)
    colour: float = option(0.0, "red, green and blue each times 1 +- this", least=0)
    zoom: float = option(0.0, "seen larger by a factor of 1 +- this", least=0, below=1)
    part: float = option(1.0, "shortest part of the clip, in time, that is seen: another speed", above=0, most=1)
    mixup: float = option(0.0, "alpha of the Beta distribution with which the clips of a batch are mixed", least=0)
    smoothing: float = option(0.0, "share of a target that goes to all classes alike", least=0, below=1)
    rotation: float = option(0.0, "largest turn of the picture, in degrees", least=0)
    flip: bool = False
    swaps: tuple[tuple[str, str], ...] = ()

    def draw(self, rng: np.random.Generator) -> Drawn:
        """The same numbers for the same generator, whichever of them are used."""
        shift = self.shift * rng.uniform(-1, 1, 2)
        brightness = (1 + self.brightness * rng.uniform(-1, 1)) * (1 + self.colour * rng.uniform(-1, 1, 3))
        zoom = 1 + self.zoom * rng.uniform(-1, 1)
        length = rng.uniform(self.part, 1)
        first = rng.uniform(0, 1 - length)
        degrees = self.rotation * rng.uniform(-1, 1)
        return Drawn(shift, brightness, zoom, (first, first + length), degrees, bool(self.flip and rng.random() < 0.5))
