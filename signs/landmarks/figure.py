"""A person whose points are drawn alone: beside body and hands a head with eyes and mouth, for who learns the sign.

    figure = figure_of(points)              None where nobody is seen
    figure.body, figure.radii               points with a whole face; the head's size
    figure.corner, figure.size              the square that holds all of it

The points of a body have eyes and mouth of their own. Points of hands alone (signs/clips/hands_alone.py) have the right
eye, in the nose's place: the other eye and the mouth are put where most people have them.
"""

from dataclasses import dataclass

from signs.clips.hands_alone import EYE, LEFT, NOSE, RIGHT
from signs.clips.points import Points

import numpy as np

VISIBLE = 0.5  # from which a body's point is drawn
EYES, MOUTH = ((1, 3), (4, 6)), (9, 10)  # of the body's points: the corners of the left and the right eye; of the mouth
HEAD = (0.24, 0.34)  # shoulder widths from between the eyes to the head's side, and to its top and its chin
# Shoulder widths from the right eye, across and down. Eyes are 63 mm apart in the mean, shoulder joints some 340.
BETWEEN = 0.0925
FACE = {4: (0.045, 0), 6: (-0.045, 0), 1: (0.14, 0), 3: (0.23, 0), 10: (0.02, 0.2), 9: (0.165, 0.2)}
SHOWN = [0, *range(11, 17), 23, 24]  # points that the picture has to hold
MARGIN = 0.15  # of the longer side, on each side


@dataclass(frozen=True)
class Figure:
    """body: (T, 33, 4), NaN where not seen; radii: (2,) pixels of the head, across and down from between the eyes;
    corner (2,) and size: pixels of a square."""

    body: np.ndarray
    radii: np.ndarray
    corner: np.ndarray
    size: float


def middle_of(body: np.ndarray) -> np.ndarray:
    """(..., 33, 4) -> (..., 2) pixels: between the eyes."""
    return body[..., np.ravel(EYES), :2].mean(axis=-2)


def figure_of(points: Points) -> Figure | None:
    body = np.where(points.body[..., 3:] >= VISIBLE, points.body, np.nan)
    hands = points.hands[..., :2].reshape(len(points.times), -1, 2)
    widths = np.linalg.norm(body[:, LEFT, :2] - body[:, RIGHT, :2], axis=-1)
    width = 0.0 if np.isnan(widths).all() else float(np.nanmedian(widths))
    if np.isnan(points.body[:, EYE, 0]).all():
        for point, place in FACE.items():
            body[:, point] = body[:, NOSE]
            body[:, point, :2] += np.multiply(place, width)
        body[:, [LEFT, RIGHT], 0] += BETWEEN * width  # they were put below the eye
    radii, middle = np.multiply(HEAD, width), middle_of(body)[:, None]
    shown = np.concatenate([body[:, SHOWN, :2], hands, middle - radii, middle + radii], axis=1)
    if np.isnan(shown).all():
        return None
    low, high = np.nanmin(shown, axis=(0, 1)), np.nanmax(shown, axis=(0, 1))
    size = max(float((high - low).max()), 1.0) * (1 + 2 * MARGIN)
    return Figure(body, radii, (low + high - size) / 2, size)
