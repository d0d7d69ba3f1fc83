"""Where in a clip the signer is: pictures in, a square out.

    region.find_squares(frames)      {"signer": [x, y, side], "body": [x, y, side]}
    region.cut_square(frames, square, 112)

A person six metres from the camera fills a tenth of the picture; scaled down with all of it, the hands are gone. A
square round the signer brings a far one as near as a close one. Two are found from the frames alone, with no detector
and no weights, in a few milliseconds a clip; the camera has to stand still.

`signer` is the square round everything that moves, by the difference of each frame to the next. It changes with the
sign: one that only the hand makes is seen larger than one with the whole arm, and the place of the hands by the face is
lost.

`body` is as large as the person is, whatever the hands do. Head and shoulders are looked for by their outline: a person
who signs never stands quite still, so along it the picture flickers as it does nowhere on a wall. The outline drawn in
`outline()` is matched with that flicker at many sizes, and what moves has to be round it. The person has to be seen
down to the waist at least: a face that fills the picture is not found, nor are the drawn signers of the demo, whose
shoulders do not move.
"""

import itertools
from collections.abc import Iterable

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

# The square round the person.
HEAD_SIDE = 120  # pixels of the short side at which the head is looked for
FRAMES = 20  # of a clip that are looked at, and up to twice as many
HEAD = 10  # pixels of the head, crown to chin, in the template; the picture is scaled to it
HEADS = np.geomspace(0.045, 0.33, 18)  # heights of a head that are tried, of the short side
FLICKER_NOISE = 1.6  # times the picture's median flicker that a still place may have
EDGE = 0.7  # flicker that an edge in the mean picture can have, in its slope: where there is none, light changes
FAINT = 0.06  # variance that is added to a place's own, so that a faint pattern does not match as well as a clear one
STILL, STRONG_FLICKER = 6, 40  # grey levels of flicker: that are no movement, and above which it is no more movement
AROUND = 0.25  # weight of the movement round a place, in correlations
ENOUGH = 0.7  # share of the movement that is enough there
SQUARE, BELOW = 6.0, 1.6  # side of the square, and how far its middle lies below the crown, in heads
PAD = (int(0.6 * HEAD), int(2.6 * HEAD), int(0.8 * HEAD), int(0.8 * HEAD))  # a person may stand half outside


def small_grey(frame: np.ndarray, side: int) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (h, w) uint8 grey, `side` pixels to the short side at most."""
    return cv2.cvtColor(resize_short_side(frame, min(side, *frame.shape[:2])), cv2.COLOR_RGB2GRAY)


def movement(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB -> (h, w) float32: how much each place changes, SIDE pixels to the short side at most.

    Where the light changes over the whole picture, that change is taken away.
    """
    greys = [small_grey(frame, SIDE) for frame in frames]
    total = np.zeros(greys[0].shape, np.float32)
    for before, grey in itertools.pairwise(greys):
        change = cv2.absdiff(grey, before).astype(np.float32)
        total += np.clip(change - (np.median(change) + NOISE), 0, STRONG)
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


def outline() -> np.ndarray:
    """Head, neck and shoulders from the front: (h, w) float32. The crown is at (w / 2, HEAD / 2)."""
    fine = 8
    unit, width, height = HEAD * fine, int(3.2 * HEAD), int(3.4 * HEAD)
    picture = np.zeros((height * fine, width * fine), np.float32)

    def at(x: float, y: float) -> tuple[int, int]:
        return round(width * fine / 2 + x * unit), round((0.5 + y) * unit)

    thick = int(0.13 * unit)
    cv2.ellipse(picture, at(0, 0.5), (int(0.37 * unit), int(0.5 * unit)), 0, 130, 410, 1, thick)  # open at the neck
    for side in (-1, 1):
        arm = [(0.27, 0.98), (0.30, 1.12), (0.75, 1.3), (0.95, 1.55), (1.03, 2.2), (1.08, 2.9)]
        cv2.polylines(picture, [np.array([at(side * x, y) for x, y in arm])], False, 1, thick)
    return cv2.resize(cv2.GaussianBlur(picture, (0, 0), 0.05 * unit), (width, height), interpolation=cv2.INTER_AREA)


TEMPLATE = outline()
LENGTH = float(np.sqrt(np.square(TEMPLATE - TEMPLATE.mean()).sum()))


def small_greys(frames: np.ndarray) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB -> (T, h, w) float32, HEAD_SIDE pixels to the short side."""
    greys = [resize_short_side(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), HEAD_SIDE) for frame in frames]
    return np.stack(greys).astype(np.float32)


def flicker(greys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, h, w) float32 -> (h, w) standard deviation over time and (h, w) slope of the mean picture; brightness and
    contrast that change over the whole picture are taken away."""
    mean = greys.mean(axis=0)
    centred = mean - mean.mean()
    power = max(float(np.square(centred).mean()), 1e-6)
    gains = (greys * centred).mean(axis=(1, 2)) / power
    rest = greys - greys.mean(axis=(1, 2))[:, None, None] - gains[:, None, None] * centred
    rest -= np.median(rest, axis=(1, 2), keepdims=True)
    rest *= mean < 235  # a window or lamp that is cut off at white
    slope = np.hypot(cv2.Sobel(mean, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(mean, cv2.CV_32F, 0, 1, scale=1 / 8))
    return np.sqrt(np.square(rest).mean(axis=0)), slope


def pattern_of(deviation: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """(h, w) in [0, 1]: where an edge flickers more than the camera's noise does."""
    usual = float(np.median(deviation))
    edge = EDGE * cv2.dilate(slope, np.ones((3, 3), np.uint8))
    return np.clip(np.minimum(deviation - FLICKER_NOISE * usual, edge) / (2.5 * usual + 2), 0, 1)


def correlation(pattern: np.ndarray) -> np.ndarray:
    """How well the outline fits at each place: (h, w), not smaller than the template -> (h', w') at most 1."""
    height, width = TEMPLATE.shape
    sums, squares = cv2.integral2(pattern)

    def box(table: np.ndarray) -> np.ndarray:
        return table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]

    variance = np.maximum(box(squares) - box(sums) ** 2 / TEMPLATE.size, 0) + FAINT * TEMPLATE.size
    return cv2.matchTemplate(pattern, TEMPLATE, cv2.TM_CCOEFF) / (LENGTH * np.sqrt(variance))


def share_around(moved: np.ndarray, crowns: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """(h, w) -> (crowns, middles) share of what moves that lies in the square of a person there, in the same pixels."""
    table = cv2.integral(moved)
    top, bottom = (np.clip(crowns + heads * HEAD, 0, moved.shape[0]).astype(int) for heads in (-1.5, 5.5))
    left, right = (np.clip(middles + heads * HEAD, 0, moved.shape[1]).astype(int) for heads in (-3, 3))
    inside = table[bottom][:, right] - table[top][:, right] - table[bottom][:, left] + table[top][:, left]
    return inside / max(float(table[-1, -1]), 1e-6)


def best_at(pattern: np.ndarray, moved: np.ndarray, scale: float) -> tuple[float, float, float]:
    """The best fit in pictures scaled so that a head is HEAD pixels: (how good, x of the middle, y of the crown)."""
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pattern, moved = (cv2.resize(picture, None, fx=scale, fy=scale, interpolation=how) for picture in (pattern, moved))
    padded = cv2.copyMakeBorder(pattern, *PAD, cv2.BORDER_CONSTANT, value=0)
    if padded.shape[0] < TEMPLATE.shape[0] or padded.shape[1] < TEMPLATE.shape[1]:
        return -np.inf, 0, 0
    fits = correlation(padded)
    crowns, middles = (np.arange(count) for count in fits.shape)
    crowns, middles = crowns - PAD[0] + 0.5 * HEAD, middles - PAD[2] + 0.5 * TEMPLATE.shape[1]
    fits += AROUND * np.minimum(share_around(moved, crowns, middles) / ENOUGH, 1)
    y, x = np.unravel_index(fits.argmax(), fits.shape)
    return float(fits[y, x]), float(middles[x] / scale), float(crowns[y] / scale)


def find_head(frames: np.ndarray) -> tuple[float, float, float] | None:
    """(T, H, W, 3) uint8 RGB -> (x of its middle, y of the crown, height) of the signer's head, pixels of the frames;
    None where nothing moves."""
    greys = small_greys(frames[:: max(1, len(frames) // FRAMES)])
    deviation, slope = flicker(greys)
    pattern, moved = pattern_of(deviation, slope), np.clip(deviation - STILL, 0, STRONG_FLICKER)
    if not (pattern.any() and moved.any()):
        return None
    heads = HEADS * min(deviation.shape)
    fits = [best_at(pattern, moved, HEAD / head) for head in heads]
    best = int(np.argmax([how_good for how_good, _, _ in fits]))
    scale = frames.shape[2] / deviation.shape[1]
    return scale * fits[best][1], scale * fits[best][2], scale * float(heads[best])


def body_square(frames: np.ndarray) -> list[float] | None:
    """(T, H, W, 3) uint8 RGB -> [x, y, side] of the square round the signer's head, shoulders and arms, in pixels of
    the frames, (x, y) its middle; it may be larger than the picture. None where nothing moves."""
    head = find_head(frames)
    if head is None:
        return None
    x, crown, height = head
    return [round(value, 1) for value in (x, crown + BELOW * height, SQUARE * height)]


SQUARES = {"signer": signer_square, "body": body_square}  # region of spec.InputSpec: what finds it


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
