"""The pyramid that TV-L1 goes through from coarse to fine: on each scale the picture, and what warping it needs.

levels = build_pyramid(image, tvl1.FAST)      levels[0] has the picture's own size
"""

from signs.flow import simd

import cv2
import numba
import numpy as np

SMALLEST_SIDE = 16  # pixels; a pyramid stops above it, as OpenCV's does
LARGEST = 4000 * 4000  # pixels of a picture: places in it are counted in float32
BLACK = 4  # pixels around a picture that is warped: the cubic kernel's reach, and one


@numba.njit(**simd.COMPILE)
def pack(image, packed):
    """(H, W) picture -> (H + 2 BLACK, W + 2 BLACK, 4): itself and its central differences along x and y."""
    height, width = image.shape
    for y in range(height):
        up, down = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            packed[y + BLACK, x + BLACK, 0] = image[y, x]
            packed[y + BLACK, x + BLACK, 1] = (image[y, right] - image[y, left]) * np.float32(0.5)
            packed[y + BLACK, x + BLACK, 2] = (image[down, x] - image[up, x]) * np.float32(0.5)
            packed[y + BLACK, x + BLACK, 3] = 0
    for edge in range(BLACK):
        packed[edge] = packed[height + BLACK + edge] = 0
        packed[:, edge] = packed[:, width + BLACK + edge] = 0


class Level:
    """A picture on one scale of its pyramid: (H, W) float32, and what warping it needs."""

    def __init__(self, height: int, width: int):
        self.image = np.empty((height, width), np.float32)
        self.packed = simd.allocate(height + 2 * BLACK, width + 2 * BLACK, simd.CHANNELS)


def sizes_of(height: int, width: int, parameters: dict) -> list[tuple[int, int]]:
    """Sizes of a pyramid's levels from fine to coarse, each `scale_step` of the one before."""
    sizes = [(height, width)]
    while len(sizes) < parameters["scales"]:
        smaller = tuple(round(side * parameters["scale_step"]) for side in sizes[-1])
        if min(smaller) < SMALLEST_SIDE:
            break
        sizes.append(smaller)
    return sizes


def build_pyramid(image: np.ndarray, parameters: dict, room: list[Level] | None = None) -> list[Level]:
    """(H, W) uint8 grey -> levels from fine to coarse, in the `room` of one that is needed no more, or in new room.

    Raises ValueError where the picture is larger than `simd` can gather from.
    """
    if image.size > LARGEST:
        raise ValueError(f"a picture of {image.shape[1]}x{image.shape[0]} pixels; expected at most {LARGEST} in all")
    levels = room or [Level(*size) for size in sizes_of(*image.shape, parameters)]
    step = parameters["scale_step"]
    levels[0].image[:] = image
    for finer, level in zip(levels, levels[1:], strict=False):
        # The exact step, not the ratio of the rounded sizes: as OpenCV does it.
        cv2.resize(finer.image, None, dst=level.image, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
    for level in levels:
        pack(level.image, level.packed)
    return levels
