"""Points as a data set has them that knows of hands and a point of the face alone; the rest of the body is guessed.

    points = hands_alone(points)                what such a network sees of a clip that landmark.py looked at
    points = of_hands(face, hands, times, size)

The 30 signs of German Sign Language (benchmarks/make_start.py) are points of this kind: rows in which no hand was found
are gone, the face point is the right eye (0.02 shoulder widths from the body's, in 895 clips that have both), and which
hand is which is not told. So the hand further to the right in the picture counts as the left one, and shoulders stand
below the face, as far apart as the palm is long for most people. The face point takes the nose's place.
"""

from dataclasses import replace

from signs.clips.points import Points

import numpy as np

PALM = 0.27  # shoulder widths from the wrist to the knuckle of the middle finger
NECK = 0.65  # shoulder widths from the face to between the shoulders
NOSE, EYE, LEFT, RIGHT = 0, 5, 11, 12  # of the body's points
FEWEST = 7  # frames with a hand; no clip of the data has fewer


def of_hands(face: np.ndarray, hands: np.ndarray, times: np.ndarray, size: tuple[int, int]) -> Points:
    """(T, 2) pixels of a face, (T, 2, 21, 3) of two hands in any order, NaN where not seen, (T,) seconds -> points."""
    if is_crossed(hands[:, :, 0, 0], face[:, 0].mean()):
        hands = hands[:, ::-1]
    width = np.nanmedian(np.linalg.norm(hands[:, :, 9] - hands[:, :, 0], axis=-1)) / PALM
    body = np.full((len(face), 33, 4), np.nan, np.float32)
    for point, place in ((NOSE, (0, 0)), (LEFT, (width / 2, NECK * width)), (RIGHT, (-width / 2, NECK * width))):
        body[:, point] = np.column_stack([face + place, np.zeros(len(face)), np.ones(len(face))])
    seen = np.where(np.isnan(hands[..., :1]), np.nan, 1)
    return Points(body, np.concatenate([hands, seen], axis=-1).astype(np.float32), times, size)


def is_crossed(wrists: np.ndarray, middle: float) -> bool:
    """(T, 2) x of both wrists, NaN where not seen: whether the first one is the right hand's, on the picture's left."""
    seen = ~np.isnan(wrists)
    places = [wrists[seen[:, side], side].mean() if seen[:, side].any() else middle for side in (0, 1)]
    return places[0] < places[1]


def hands_alone(points: Points) -> Points:
    """What is left of a clip's points; one frame without any where hardly a hand is seen, or no face."""
    rows = ~np.isnan(points.hands[:, :, 0, 0]).all(axis=1)
    face = points.body[:, EYE, :2]
    if np.isnan(face[:, 0]).all():
        face = points.body[:, NOSE, :2]  # there it is in points of this kind
    seen = ~np.isnan(face[:, 0])
    if rows.sum() < FEWEST or not seen.any():
        nothing = {name: np.full_like(getattr(points, name)[:1], np.nan) for name in ("body", "hands")}
        return replace(points, **nothing, times=points.times[:1])
    face = np.column_stack([np.interp(points.times, points.times[seen], places) for places in face[seen].T])
    times = np.arange(rows.sum()) * float(np.median(np.diff(points.times)))
    return of_hands(face[rows], points.hands[rows, :, :, :3], times, points.size)
