"""Where both hands of a clip are, frame by frame: what `--region hands` shows a network of pictures.

    squares = hand_squares(points, times, 240)          (2, T, 3) x, y, side in pixels of the stored pictures
    tile = region.cut_hands(images, squares, 54)        (T, 108, 54, C) uint8, the left hand above the right one

Where landmark.py saw a hand, the square goes with it, as large all through the clip as the palm mostly is; where it did
not, it goes on from the last place to the next one.
"""

import warnings

from signs.clips.points import Points

import numpy as np

PALM = (0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18)  # points that move little against each other
SIZE = 2.5  # sides of the box round them: fingers that move stay inside


def between(times: np.ndarray, rows: np.ndarray, at: np.ndarray) -> np.ndarray | None:
    """(T,) seconds, (T, N) NaN where unknown -> (A, N) at other times, between what is known; None where nothing is."""
    known = ~np.isnan(rows).any(axis=1)
    if not known.any():
        return None
    return np.column_stack([np.interp(at, times[known], column[known]) for column in rows.T])


def hand_squares(points: Points, times: np.ndarray, short_side: int) -> np.ndarray:
    """Where both hands are, left then right, at some moments of a clip.

    Args:
        points: of all of it, in pixels of the video.
        times: (T,) seconds, on the clock of `points.times`.
        short_side: pixels of the shorter side of the pictures that are cut.

    Returns: (2, T, 3) float64, x, y, side in pixels of these pictures; NaN of a hand that was seen nowhere.
    """
    squares = np.full((2, len(times), 3), np.nan)
    for square, hand in zip(squares, points.hands.transpose(1, 0, 2, 3), strict=True):
        palm = hand[:, PALM, :2]
        low, high = palm.min(axis=1), palm.max(axis=1)
        middles = between(points.times, (low + high) / 2, times)
        if middles is not None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # a frame without a hand
                side = SIZE * float(np.nanmedian((high - low).max(axis=1)))
            square[:] = np.column_stack([middles, np.full(len(times), side)])
    return squares * (short_side / min(points.size))
