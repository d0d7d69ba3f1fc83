"""The points of a hand: a rough square from the body's points, the square of the hand in it, the 21 points there.

    found = HandNetworks(recrop, landmarks).look(picture, body, side, before)
    found.points, found.presence

The square of the frame before is taken again as long as the hand has not moved far from it, which is steadier than a
new one each time (MediaPipe's graphs hand_landmarks_from_pose and hand_tracking). Where no hand is seen there, three
other squares are tried: of raised hands that brings back one in eleven at 1 and 4 m and one in four at 6 m.
"""

import math
from dataclasses import dataclass

from signs.clips.hand_track import PALM
from signs.landmarks.square import Square, square_along

import numpy as np

RECROP_SIDE, SIDE = 256, 224  # pixels of the networks' inputs
POINTS = 21
# Wrist, little finger, index finger among the body's points: of the person's left and right hand.
OF_BODY = ((15, 17, 19), (16, 18, 20))
SURE = 0.5  # of its presence, from which a hand is one
SPAN = (1.06, 0.66)  # of a second rough square; what fits hands that point at the camera (sign-language-processing)
WIDER = 1.35  # of the square of a hand that was none, in which it is looked for once more
VISIBLE = 0.1  # of the wrist among the body's points, below which there is no hand to look for
ROUGH = 2.7  # of twice the way from wrist to middle finger
UP = 0.1  # share by which the square of a hand is moved towards the fingers
KNUCKLES = (5, 9, 13)
DEPTH = 0.4  # what the network's z is divided by
TURN, SHIFT, GROWTH = math.radians(40), 0.2, 0.4  # by which the square of the frame before may differ from the new one
MARGIN = 0.9  # of the new square, in which the points of the frame before have to lie


@dataclass(frozen=True)
class Hand:
    """points: (21, 3) float32, x, y, z in pixels of the picture, z from the wrist; presence: 0 to 1, of a hand in the
    square that was looked at; square: for the next frame."""

    points: np.ndarray
    presence: float
    square: Square


class HandNetworks:
    """recrop: (1, 256, 256, 3) float32 in [0, 1] -> [(1, 1, 1, 4): centre and top of a hand, pixels];
    landmarks: (1, 224, 224, 3) float32 in [0, 1] -> [(1, 63) points, (1, 1) presence]."""

    def __init__(self, recrop, landmarks):
        self._recrop, self._landmarks = recrop, landmarks

    def look(self, picture: np.ndarray, body: np.ndarray, side: int, before: Hand | None = None) -> Hand | None:
        """A person's left (side 0) or right (side 1) hand; None where the body's points, (33, 4), show no wrist.

        before: the same hand in the frame before, where it was seen there.
        """
        rough = rough_square(body, side)
        if rough is None:
            return None
        square = found = self._found_in(picture, rough)
        if before and is_near(before, found):
            square = before.square
        hand = self._points(picture, square)
        others = (
            lambda: self._found_in(picture, rough_square(body, side, SPAN)),
            lambda: rough.scaled(0.5),
            lambda: self._found_in(picture, found.scaled(WIDER)),
        )
        for other in others:
            if hand.presence >= SURE:
                break
            again = self._points(picture, other())
            hand = max(hand, again, key=lambda hand: hand.presence)
        return hand

    def _found_in(self, picture: np.ndarray, rough: Square) -> Square:
        """The square of a hand that is somewhere in a rough one."""
        patch = rough.cut(picture, RECROP_SIDE)
        pair = self._recrop(np.float32(patch)[None] / 255)[0].reshape(2, 2) / RECROP_SIDE
        centre, top = rough.to_picture(pair)
        return square_along(centre, top, 2 * float(np.hypot(*(top - centre))), downwards=True).scaled(1, UP)

    def _points(self, picture: np.ndarray, square: Square) -> Hand:
        patch = square.cut(picture, SIDE)
        coded, presence = self._landmarks(np.float32(patch)[None] / 255)
        rows = coded.reshape(POINTS, 3)
        points = np.empty((POINTS, 3), np.float32)
        points[:, :2] = square.to_picture(rows[:, :2] / SIDE)
        points[:, 2] = rows[:, 2] / SIDE / DEPTH * square.size
        return Hand(points, float(presence.item()), square_round(points[:, :2]))


def rough_square(body: np.ndarray, side: int, span: tuple[float, float] = (2.0, 0.0)) -> Square | None:
    """Where a hand is, from wrist and knuckles among the body's points, (33, 4); None where no wrist is seen.

    span: how often the way from wrist to middle finger, and that between little finger and index finger, make its size.
    """
    wrist, little, index = body[list(OF_BODY[side])]
    if not wrist[3] > VISIBLE:
        return None
    middle = (2 * index[:2] + little[:2]) / 3
    lengths = np.hypot(*(middle - wrist[:2])), np.hypot(*(index[:2] - little[:2]))
    size = float(np.dot(span, lengths))
    if not lengths[0] > 0:
        return None
    turned = square_along(wrist[:2], middle, size)
    return Square(float(middle[0]), float(middle[1]), size, turned.angle).scaled(ROUGH, UP)


def square_round(points: np.ndarray) -> Square:
    """The square for the next frame round a hand's points, (21, 2) pixels."""
    index, middle, ring = points[list(KNUCKLES)].astype(np.float64)
    turned = square_along(points[0].astype(np.float64), ((index + ring) / 2 + middle) / 2, 1.0)
    palm = turned.to_shares(points[list(PALM)])  # pixels, along the hand and across it
    low, high = palm.min(axis=0), palm.max(axis=0)
    x, y = turned.to_picture((low + high) / 2)
    width, height = high - low
    # The shift is a share of the palm's height, not of the square's.
    x, y = np.array([x, y]) - UP * height * turned.axes[1]
    return Square(float(x), float(y), float(max(width, height)) * 2.0, turned.angle)


def is_near(before: Hand, square: Square) -> bool:
    """Whether the square of the frame before still serves, of which the new square, found afresh, speaks."""
    earlier = before.square
    turn = abs((earlier.angle - square.angle + math.pi) % (2 * math.pi) - math.pi)
    shift = np.abs(square.to_shares(np.array([earlier.x, earlier.y])) - 0.5)
    growth = abs(earlier.size - square.size) / square.size
    inside = np.abs(square.to_shares(before.points[:, :2]) - 0.5) < MARGIN / 2
    return turn <= TURN and bool(np.all(shift <= SHIFT)) and growth <= GROWTH and bool(np.all(inside))
