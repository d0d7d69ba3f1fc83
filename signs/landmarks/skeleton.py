"""A person's points as a picture: lines from joint to joint.

skeleton.draw(picture, body, hands)            on a picture, in place
skeleton.pictures(points, [0, 20, 40])         alone, on white, the person as large as fits
"""

from signs.clips.points import Points

import cv2
import numpy as np

VISIBLE = 0.5  # from which a body's point is drawn
# fmt: off
BODY = ((11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (23, 24), (0, 11), (0, 12))
HAND = ((0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (6, 7), (7, 8), (5, 9), (9, 10), (10, 11), (11, 12),
        (9, 13), (13, 14), (14, 15), (15, 16), (13, 17), (17, 18), (18, 19), (19, 20), (0, 17))
# fmt: on
BODY_COLOUR, LEFT_COLOUR, RIGHT_COLOUR = (70, 110, 160), (200, 90, 20), (30, 140, 80)
COLD, WARM = np.array((160, 170, 182)), np.array((220, 30, 20))  # of lines whose points say nothing, and most
THICKER = 1  # times, that a warm line is drawn thicker than a cold one
SHOWN = [0, *range(11, 17), 23, 24]  # points that the picture of a person alone has to hold
MARGIN = 0.15


def draw(picture: np.ndarray, body: np.ndarray, hands: np.ndarray, scale: float = 1.0, heat=None) -> None:
    """Draw a frame's points, body (33, 4) and hands (2, 21, 4), on (H, W, 3) uint8 RGB, in place.

    scale: pixels of the picture for one of the points'; heat: (75,) in [0, 1], points of the body, of the left and of
    the right hand: the lines are drawn warmer and thicker by it.
    """
    thick = max(1, round(min(picture.shape[:2]) / 160))
    seen = np.where(body[:, 3:] >= VISIBLE, body[:, :2], np.nan)
    warm = None if heat is None else np.split(heat, (33, 54))
    for part, (points, lines, colour) in enumerate(
        ((seen, BODY, BODY_COLOUR), (hands[0, :, :2], HAND, LEFT_COLOUR), (hands[1, :, :2], HAND, RIGHT_COLOUR))
    ):
        for joint in lines:
            ends, width = points[list(joint)] * scale, thick
            if warm is not None:
                share = float(warm[part][list(joint)].max())
                colour, width = (COLD + share * (WARM - COLD)).tolist(), round(thick * (1 + THICKER * share))
            if not np.isnan(ends).any():
                start, end = np.clip(np.rint(ends), -30_000, 30_000).astype(int).tolist()
                cv2.line(picture, start, end, colour, width, cv2.LINE_AA)


def pictures(points: Points, frames, side: int = 240, heat=None) -> list[np.ndarray]:
    """(side, side, 3) uint8 RGB each: some frames of a clip, the person alone on white, in one place and size; heat:
    (T, 75), of `draw`."""
    shown = np.concatenate([points.body[:, SHOWN, :2], points.hands[..., :2].reshape(len(points.times), -1, 2)], axis=1)
    if np.isnan(shown).all():
        return [np.full((side, side, 3), 255, np.uint8) for _ in frames]
    low, high = np.nanmin(shown, axis=(0, 1)), np.nanmax(shown, axis=(0, 1))
    size = max(float((high - low).max()), 1.0) * (1 + 2 * MARGIN)
    corner = (low + high - size) / 2
    drawn = []
    for frame in frames:
        picture = np.full((side, side, 3), 255, np.uint8)
        body, hands = points.body[frame].copy(), points.hands[frame].copy()
        body[:, :2] -= corner
        hands[..., :2] -= corner
        draw(picture, body, hands, side / size, None if heat is None else heat[frame])
        drawn.append(picture)
    return drawn
