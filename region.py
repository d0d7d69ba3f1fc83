"""Where in a clip the signer moves: pictures in, a square out.

A person six metres from the camera fills a tenth of the picture; scaled down with all of it, the hands are gone. The
square round everything that moves brings a far signer as near as a close one. It is found from the frames alone, by the
difference of each to the next: no detector, no weights, a few milliseconds a clip. body.py finds another one.
"""

from collections.abc import Iterable

import cv2
import numpy as np

import body

SIDE = 60  # pixels of the short side at which movement is looked for; it takes away most of the camera's noise
NOISE = 6  # grey levels, of 255, that a still pixel may change from frame to frame
STRONG = 20  # a change above this says no more than that there is movement
TAIL = 0.04  # share of the movement left outside on each side: a passer-by, a flickering lamp
MARGIN = 1.4  # the square is this much larger than the movement, so that face and shoulders are in it
SMALLEST = 44 / 240  # of the short side


def movement(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB -> (h, w) float32: how much each place changes, about 60 pixels to the short side.

    Where the light changes over the whole picture, that change is taken away.
    """
    height, width = frames.shape[1:3]
    scale = min(1.0, SIDE / min(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    total, before = np.zeros(size[::-1], np.float32), None
    for frame in frames:
        grey = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        if before is not None:
            change = cv2.absdiff(grey, before).astype(np.float32)
            total += np.clip(change - (np.median(change) + NOISE), 0, STRONG)
        before = grey
    return total


def signer_square(frames: np.ndarray) -> list[float] | None:
    """(T, H, W, 3) uint8 RGB -> [x, y, side] of the square round what moves, in pixels of the frames, (x, y) its
    middle; None where nothing moves."""
    moved = movement(frames)
    scale = frames.shape[2] / moved.shape[1]
    moved = cv2.GaussianBlur(moved, (0, 0), 1.0)
    moved = np.maximum(moved - 0.05 * moved.max(), 0)
    if not moved.any():
        return None
    spans = []
    for axis in (0, 1):
        share = np.cumsum(moved.sum(axis=axis), dtype=np.float64)
        share = np.concatenate([[0], share / share[-1]])
        spans.append(np.interp([TAIL, 1 - TAIL], share, np.arange(len(share))) * scale)
    short_side = min(frames.shape[1:3])
    side = np.clip(MARGIN * max(last - first for first, last in spans), SMALLEST * short_side, short_side)
    return [round(float(value), 1) for value in (*(sum(span) / 2 for span in spans), side)]


SQUARES = {"signer": signer_square, "body": body.body_square}  # region of clipspec.InputSpec: what finds it


def find(frames: np.ndarray, regions: Iterable[str] = tuple(SQUARES)) -> dict[str, list[float] | None]:
    """(T, H, W, 3) uint8 RGB -> {region: [x, y, side], or None where there is none}, pixels of the frames."""
    return {name: SQUARES[name](frames) for name in regions}


def cut(images: np.ndarray, square: list[float], size: int) -> np.ndarray:
    """(T, H, W, C) uint8 -> (T, size, size, C): a square of the pictures; beyond their edge the border is repeated."""
    x, y, side = square
    shrink = min(1.0, size / side)
    scale = max(1.0, size / side)
    middle = (size - 1) / 2
    x, y = x * shrink - 0.5, y * shrink - 0.5
    move = np.float32([[scale, 0, middle - scale * x], [0, scale, middle - scale * y]])
    cuts = []
    for image in images:
        if shrink < 1:  # averaged first, or fine patterns would flicker
            image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        cuts.append(cv2.warpAffine(image, move, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    return np.stack(cuts).reshape(len(images), size, size, -1)  # OpenCV leaves a single channel out
