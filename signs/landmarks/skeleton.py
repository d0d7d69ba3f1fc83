"""A person's points as a picture: lines from joint to joint.

skeleton.draw(picture, body, hands)            on a picture, in place
skeleton.pictures(points, [0, 20, 40])         alone, on white, with a head, the person as large as fits
"""

from signs.clips.points import Points
from signs.landmarks.figure import EYES, MOUTH, VISIBLE, Figure, figure_of, middle_of

import cv2
import numpy as np

# fmt: off
TRUNK = ((11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24))
HAND = ((0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 7), (7, 8), (5, 9), (9, 10), (10, 11), (11, 12),
        (9, 13), (13, 14), (14, 15), (15, 16), (13, 17), (17, 18), (18, 19), (19, 20), (0, 17))
# fmt: on
BODY = (*TRUNK, (0, 11), (0, 12))  # over a picture, which has the face
ALONE = (*TRUNK, *EYES, MOUTH)
BODY_COLOUR, LEFT_COLOUR, RIGHT_COLOUR = (70, 110, 160), (200, 90, 20), (30, 140, 80)
COLD, WARM = np.array((160, 170, 182)), np.array((220, 30, 20))  # of lines whose points say nothing, and most
THICKER = 1  # times, that a warm line is drawn thicker than a cold one
OF_FACE = 11  # the body's points before this one are the face's


def draw(
    picture: np.ndarray, body: np.ndarray, hands: np.ndarray, scale: float = 1.0, heat=None, joints=BODY, head=None
) -> None:
    """Draw a frame's points, body (33, 4) and hands (2, 21, 4), on (H, W, 3) uint8 RGB, in place.

    scale: pixels of the picture for one of the points'; heat: (75,) in [0, 1], points of the body, of the left and of
    the right hand: the lines are drawn warmer and thicker by it; joints: of the body; head: (2,) radii of an oval.
    """
    thick = max(1, round(min(picture.shape[:2]) / 160))
    seen = np.where(body[:, 3:] >= VISIBLE, body[:, :2], np.nan)
    warm = None if heat is None else np.split(heat, (33, 54))

    def look(colour, part: int, points: list[int]) -> tuple:
        """The colour and thickness of a line by these points of a part."""
        if warm is None:
            return colour, thick
        share = float(warm[part][points].max())
        return (COLD + share * (WARM - COLD)).tolist(), round(thick * (1 + THICKER * share))

    if head is not None:
        draw_head(picture, seen, head, scale, look(BODY_COLOUR, 0, list(range(OF_FACE))))
    for part, (points, lines, colour) in enumerate(
        ((seen, joints, BODY_COLOUR), (hands[0, :, :2], HAND, LEFT_COLOUR), (hands[1, :, :2], HAND, RIGHT_COLOUR))
    ):
        for joint in map(list, lines):
            ends = points[joint] * scale
            if not np.isnan(ends).any():
                cv2.line(picture, *map(_pixel, ends), *look(colour, part, joint), cv2.LINE_AA)


def draw_head(picture: np.ndarray, seen: np.ndarray, radii: np.ndarray, scale: float, look: tuple) -> None:
    """An oval around the eyes, and a neck to the shoulders, (33, 2) points; radii: (2,), look: colour and thickness."""
    middle, shoulders = middle_of(seen), seen[[11, 12]].mean(axis=0)
    if not np.isnan(middle).any():
        cv2.ellipse(picture, _pixel(middle * scale), _pixel(radii * scale), 0, 0, 360, *look, cv2.LINE_AA)
        chin = middle + (0, radii[1])
        if not np.isnan(shoulders).any():
            cv2.line(picture, _pixel(chin * scale), _pixel(shoulders * scale), *look, cv2.LINE_AA)


def _pixel(place: np.ndarray) -> list[int]:
    return np.clip(np.rint(place), -30_000, 30_000).astype(int).tolist()


def pictures(points: Points, frames, side: int = 240, heat=None) -> list[np.ndarray]:
    """(side, side, 3) uint8 RGB each: some frames of a clip, the person alone on white, in one place and size; heat:
    (T, 75), of `draw`."""
    figure = figure_of(points)
    drawn = []
    for frame in frames:
        picture = np.full((side, side, 3), 255, np.uint8)
        if figure:
            warm = None if heat is None else heat[frame]
            _draw_alone(picture, figure, figure.body[frame].copy(), points.hands[frame].copy(), warm)
        drawn.append(picture)
    return drawn


def _draw_alone(picture: np.ndarray, figure: Figure, body: np.ndarray, hands: np.ndarray, heat) -> None:
    """A frame of a figure, whose points are moved."""
    body[:, :2] -= figure.corner
    hands[..., :2] -= figure.corner
    draw(picture, body, hands, len(picture) / figure.size, heat, ALONE, figure.radii)
