"""Where in a clip the person is: grey pictures in, the place and size of a head or of the square round the body out.

    x, crown, height = find_head(greys)
    x, y, side = body_square(greys)

Head and shoulders are looked for by their outline: a person who signs never stands quite still, so along it the picture
flickers as it does nowhere on a wall. The outline drawn in `outline()` is matched with that flicker at many sizes, and
what moves has to be round it. All places of all sizes are looked at in pictures of half the size, and those that fit
about as well as the best one then at the whole size: on 270 clips of six people the answer is that of a search of all
at the whole size, in 40 % of the time. The person has to be seen down to the waist at least: a face that fills the
picture is not found, nor are the drawn signers of the demo, whose shoulders do not move.
"""

from typing import NamedTuple

from signs.clips.spec import resize_short_side

import cv2
import numpy as np

HEAD_SIDE = 120  # pixels of the short side at which the head is looked for
FRAMES = 20  # of a clip that are looked at, and up to twice as many
HEAD = 10  # pixels of the head, crown to chin, in the outline; the picture is scaled to it
HEADS = np.geomspace(0.045, 0.33, 18)  # heights of a head that are tried, of the short side
FLICKER_NOISE = 1.6  # times the picture's median flicker that a still place may have
EDGE = 0.7  # flicker that an edge in the mean picture can have, in its slope: where there is none, light changes
FAINT = 0.06  # variance that is added to a place's own, so that a faint pattern does not match as well as a clear one
STILL, STRONG_FLICKER = 6, 40  # grey levels of flicker: that are no movement, and above which it is no more movement
AROUND = 0.25  # weight of the movement round a place, in correlations
ENOUGH = 0.7  # share of the movement that is enough there
SQUARE, BELOW = 6.0, 1.6  # side of the square, and how far its middle lies below the crown, in heads
PAD = (0.6, 2.6, 0.8, 0.8)  # heads that are added above, below, left and right: a person may stand half outside
SLACK = 0.08  # by which a place may fit worse than another at half the size, and better at the whole; 0.074 was seen
NEAR = 3  # pixels round such a place
OFF, BINS = 16, 1024  # grey levels that lie between a picture's mean and its median at most; steps to find that in


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


class Outline(NamedTuple):
    """The outline to be matched: (h, w) float32 of mean zero; its head in pixels; a border for the picture, above,
    below, left and right."""

    picture: np.ndarray
    head: int
    pad: tuple[int, int, int, int]

    @classmethod
    def of(cls, head: int) -> "Outline":
        """The outline with a head of so many pixels, HEAD or a half of it."""
        picture = cv2.resize(outline(), None, fx=head / HEAD, fy=head / HEAD, interpolation=cv2.INTER_AREA)
        picture -= picture.mean()
        length = float(np.linalg.norm(picture)) * picture.size**0.5
        return cls(picture / length, head, tuple(int(heads * head) for heads in PAD))

    def place(self, row, column, head: float):
        """Row and column of a fit to a picture with a head of so many pixels -> y of the crown and x of the middle."""
        crown, middle = row - self.pad[0] + 0.5 * self.head, column - self.pad[2] + 0.5 * self.picture.shape[1]
        return crown * (head / self.head), middle * (head / self.head)


COARSE, FINE = Outline.of(HEAD // 2), Outline.of(HEAD)


def median_near(values: np.ndarray, middle: float) -> float:
    """float32 values whose median is within OFF of `middle` -> this median, to a fraction of 2 OFF / BINS: a sort takes
    three times as long."""
    low = middle - OFF
    counts = cv2.calcHist([values], [0], None, [BINS], [low, middle + OFF]).ravel()
    missing = values.size / 2 - np.count_nonzero(values < low)
    upto = counts.cumsum()
    place = min(int(upto.searchsorted(missing)), BINS - 1)
    part = place + 1 - (float(upto[place]) - missing) / max(float(counts[place]), 1.0)
    return low + part * (2 * OFF / BINS)


def flicker(greys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, h, w) uint8 -> (h, w) standard deviation over time and (h, w) slope of the mean picture; brightness and
    contrast that change over the whole picture are taken away."""
    mean = greys.mean(axis=0, dtype=np.float32)
    centred = mean - mean.mean()
    power = max(float(np.square(centred).sum()), 1e-6 * mean.size)
    squares = np.zeros_like(mean)
    for grey in greys:  # one after the other, so that it all stays in the processor's cache
        rest = grey.astype(np.float32)
        gain = float((rest * centred).sum()) / power
        cv2.scaleAdd(centred, -gain, rest, rest)
        rest -= np.float32(median_near(rest, float(rest.mean())))
        cv2.accumulateSquare(rest, squares)
    squares *= mean < 235  # a window or lamp that is cut off at white
    slope = np.hypot(cv2.Sobel(mean, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(mean, cv2.CV_32F, 0, 1, scale=1 / 8))
    return np.sqrt(squares / len(greys)), slope


def pattern_of(deviation: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """(h, w) in [0, 1]: where an edge flickers more than the camera's noise does."""
    usual = float(np.median(deviation))
    edge = EDGE * cv2.dilate(slope, np.ones((3, 3), np.uint8))
    return np.clip(np.minimum(deviation - FLICKER_NOISE * usual, edge) / (2.5 * usual + 2), 0, 1)


def correlation(pattern: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """How well the outline fits at each place: (h, w), not smaller than the outline -> (h', w') at most 1."""
    fits = cv2.matchTemplate(pattern, drawn, cv2.TM_CCORR)
    height, width = fits.shape
    how = {"ksize": drawn.shape[::-1], "anchor": (0, 0), "borderType": cv2.BORDER_CONSTANT}
    mean = cv2.boxFilter(pattern, cv2.CV_32F, **how)[:height, :width]
    variance = cv2.sqrBoxFilter(pattern, cv2.CV_32F, **how)[:height, :width]
    variance += FAINT
    variance -= mean * mean
    fits /= np.sqrt(variance, out=variance)
    return fits


def sums_between(table: np.ndarray, first: np.ndarray, last: np.ndarray, exact: bool) -> np.ndarray:
    """(N + 1, M) sums of the rows before each -> (K, M) sums from `first` to `last`, (K,), which may lie inside a row:
    of a part of it then, or, where that need not be exact, of all or nothing."""
    places = np.minimum(np.maximum(np.concatenate([first, last]), 0), len(table) - 1)
    if exact:
        above = np.minimum(places.astype(int), len(table) - 2)
        rows = table[above]
        rows += np.float32(places - above)[:, None] * (table[above + 1] - rows)
    else:
        rows = table[(places + 0.5).astype(int)]
    return rows[len(first) :] - rows[: len(first)]


class Search:
    """Where the outline fits best: pattern and movement (h, w) float32, heads in pixels of them."""

    def __init__(self, pattern: np.ndarray, moved: np.ndarray):
        self.halved = [pattern]  # once, twice, ...
        sums = cv2.integral(moved)
        self.table = np.float32(sums * (AROUND / ENOUGH / sums[-1, -1]))

    def scaled(self, head: float, drawn: Outline) -> np.ndarray:
        """The pattern with a head of so many pixels as large as the outline's, and an empty border."""
        scale, pattern, how = drawn.head / head, self.halved[0], cv2.INTER_LINEAR
        if drawn is FINE:
            how = cv2.INTER_AREA if scale < 1 else how
        else:
            halvings = max(0, int(-np.log2(scale)))
            while len(self.halved) <= halvings:
                self.halved.append(cv2.resize(self.halved[-1], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
            scale, pattern = scale * 2**halvings, self.halved[halvings]
        pattern = cv2.resize(pattern, None, fx=scale, fy=scale, interpolation=how)
        return cv2.copyMakeBorder(pattern, *drawn.pad, cv2.BORDER_CONSTANT, value=0)

    def fits(self, head: float, drawn: Outline, window: tuple[slice, slice] = (slice(None), slice(None))) -> np.ndarray:
        """(rows, columns) how well the outline fits at each place, or at those of the window, and moves round it."""
        pattern, (height, width) = self.scaled(head, drawn), drawn.picture.shape
        rows = np.arange(pattern.shape[0] - height + 1)[window[0]]
        columns = np.arange(pattern.shape[1] - width + 1)[window[1]]
        fits = correlation(pattern[rows[0] : rows[-1] + height, columns[0] : columns[-1] + width], drawn.picture)
        crowns, middles = drawn.place(rows, columns, head)
        around = sums_between(self.table, crowns - 1.5 * head, crowns + 5.5 * head, drawn is FINE)
        around = sums_between(around.T, middles - 3 * head, middles + 3 * head, drawn is FINE).T
        fits += np.minimum(around, AROUND)
        return fits

    def best(self, heads: np.ndarray) -> tuple[float, float, float]:
        """(x of the middle, y of the crown, height) of the head that fits best."""
        coarse = [self.fits(head, COARSE) for head in heads]
        enough = max(fits.max() for fits in coarse) - SLACK
        found = []
        for head, rough in zip(heads, coarse, strict=True):
            places = 2 * np.argwhere(rough >= enough)
            if len(places):
                top, left = np.maximum(places.min(axis=0) - NEAR, 0)
                bottom, right = places.max(axis=0) + NEAR + 1
                fits = self.fits(head, FINE, (slice(top, bottom), slice(left, right)))
                row, column = np.unravel_index(fits.argmax(), fits.shape)
                crown, middle = FINE.place(top + row, left + column, head)
                found.append((fits[row, column], middle, crown, head))
        return max(found)[1:]


def find_head(greys: np.ndarray) -> tuple[float, float, float] | None:
    """(T, H, W) uint8 -> (x of its middle, y of the crown, height) of the signer's head, in pixels; None where nothing
    moves."""
    some = np.stack([resize_short_side(grey, HEAD_SIDE) for grey in greys[:: max(1, len(greys) // FRAMES)]])
    deviation, slope = flicker(some)
    pattern, moved = pattern_of(deviation, slope), np.clip(deviation - STILL, 0, STRONG_FLICKER)
    if not (pattern.any() and moved.any()):
        return None
    x, crown, height = Search(pattern, moved).best(HEADS * min(deviation.shape))
    scale = greys.shape[2] / some.shape[2]
    return scale * x, scale * crown, scale * height


def body_square(greys: np.ndarray) -> tuple[float, float, float] | None:
    """(T, H, W) uint8 -> (x, y, side) of the square round the signer's head, shoulders and arms, in pixels, (x, y) its
    middle; it may be larger than the picture. None where nothing moves."""
    head = find_head(greys)
    if head is None:
        return None
    x, crown, height = head
    return x, crown + BELOW * height, SQUARE * height
