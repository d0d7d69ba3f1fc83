"""Where in a clip the signer is: pictures in, a square out.

    region.find_squares(frames)      {"signer": [x, y, side], "body": [x, y, side]}
    region.cut_square(frames, square, 112)

A person six metres from the camera fills a tenth of the picture; scaled down with all of it, the hands are gone. A
square round the signer brings a far one as near as a close one. Two are found from the frames alone, with no detector
and no weights, in a few milliseconds a clip; the camera has to stand still.

`signer` is the square round everything that moves, by the difference of each frame to the next. It changes with the
sign: one that only the hand makes is seen larger than one with the whole arm, and the place of the hands by the face is
lost.

`body` is as large as the person is, whatever the hands do (person.py).
"""

from collections.abc import Iterable

from signs.clips.person import HEAD_SIDE, body_square
from signs.clips.spec import resize_short_side

import cv2
import numpy as np

# The square round what moves.
SIDE = 60  # pixels of the short side at which movement is looked for; it takes away most of the camera's noise
NOISE = 6  # grey levels, of 255, that a still pixel may change from frame to frame
STRONG = 20  # a change above this says no more than that there is movement
TAIL = 0.04  # share of the movement left outside on each side: a passer-by, a flickering lamp
MARGIN = 1.4  # the square is this much larger than the movement, so that face and shoulders are in it
SMALLEST = 44 / 240  # of the short side

NO_HAND = 128  # grey, and no movement in coded flow


def small_grey(frame: np.ndarray, side: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (h, w) uint8 grey, `side` pixels to the short side at most."""
    return cv2.cvtColor(resize_short_side(frame, min(side, *frame.shape[:2])), cv2.COLOR_RGB2GRAY)


def movement(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB -> (h, w) float32: how much each place changes, SIDE pixels to the short side at most.

    Where the light changes over the whole picture, that change is taken away.
    """
    greys = np.stack([small_grey(frame, SIDE) for frame in frames])
    if len(greys) == 1:
        return np.zeros(greys.shape[1:], np.float32)
    flat = greys.reshape(len(greys), -1)
    change = cv2.absdiff(flat[1:], flat[:-1])
    still = np.float32(np.median(change, axis=1) + NOISE)[:, None]
    return np.clip(change - still, 0, STRONG).sum(axis=0).reshape(greys.shape[1:])


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


def shrunk(grey: np.ndarray, side: int) -> np.ndarray:
    """(H, W) uint8 -> (h, w), `side` pixels to the short side at most; halving is five times as fast as one step."""
    while min(grey.shape) >= 2 * side and not any(length % 2 for length in grey.shape):
        grey = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return resize_short_side(grey, min(side, *grey.shape))


def small_greys(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB -> (T, h, w) uint8, in which the person is looked for."""
    return np.stack([shrunk(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), HEAD_SIDE) for frame in frames])


def person_square(frames: np.ndarray) -> list[float] | None:
    """(T, H, W, 3) uint8 RGB -> [x, y, side] of `person.body_square`, in pixels of the frames."""
    greys = small_greys(frames)
    square, scale = body_square(greys), frames.shape[2] / greys.shape[2]
    return square and [round(float(value) * scale, 1) for value in square]


SQUARES = {"signer": signer_square, "body": person_square}  # region of spec.InputSpec: what finds it


def find_squares(frames: np.ndarray, regions: Iterable[str] = tuple(SQUARES)) -> dict[str, list[float] | None]:
    """(T, H, W, 3) uint8 RGB -> {region: [x, y, side], or None where there is none}, pixels of the frames."""
    return {name: SQUARES[name](frames) for name in regions}


def cut_square(images: np.ndarray, square: list[float], size: int) -> np.ndarray:
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


def cut_hands(images: np.ndarray, squares: np.ndarray, size: int) -> np.ndarray:
    """Both hands of each picture, the left one above the right one.

    The left hand is shown in a mirror, so that both look like a right one, and a clip in a mirror is the same with its
    halves exchanged. A hand that was nowhere is grey, or flow of zero.

    Args:
        images: (T, H, W, C) uint8 pictures, or coded flow, where C is 2.
        squares: (2, T, 3) of `hand_track.hand_squares`.

    Returns: (T, 2 * size, size, C) uint8.
    """
    tile = np.full((len(images), 2 * size, size, images.shape[-1]), NO_HAND, np.uint8)
    for number, (track, place) in enumerate(zip(squares, np.split(tile, 2, axis=1), strict=True)):
        if np.isnan(track).any():
            continue
        mirrored = number == 0
        for (x, y, side), image, cut in zip(track, images, place, strict=True):
            seen = cut_square(image[None], [x, y, side], size)[0]
            cut[:] = seen[:, ::-1] if mirrored else seen
        if mirrored and images.shape[-1] == 2:
            place[..., 0] = 255 - place[..., 0]
    return tile


def exchanged(tile: np.ndarray) -> np.ndarray:
    """(T, 2 * size, size, C) of a clip -> that of the clip in a mirror, where the left hand is a right one."""
    return np.concatenate(np.split(tile, 2, axis=1)[::-1], axis=1)
