"""Movements that are no sign, drawn with the hands of clips that know of hands and a face alone: for make_starter.py.

for move in movements(clips): ...       move.points, move.counts, move.owner
"""

from dataclasses import replace
from typing import NamedTuple

from signs.clips import posture
from signs.clips.hands_alone import EYE, NOSE
from signs.clips.points import Points
from signs.prepare.synthetic_movement import REST, SHOULDER, elbow
from signs.training import pauses

import numpy as np

from make_start import drawn_clips

EVERY = 3  # clip whose hands are drawn with
SIGNS = 60  # drawn ones, each by several people
MOVING, STILL, OTHER, NOBODY = 1.0, 0.5, 0.3, 0.03  # how much each kind counts


class Move(NamedTuple):
    """counts: how much it counts; owner: number of the clip whose hands it has, -1 where none."""

    points: Points
    counts: float
    owner: int


def movements(clips: list[Points]) -> list[Move]:
    """What people do between signs (pauses.py), signs of drawn people, and nobody."""
    moving, still = [], []
    for number in range(0, len(clips), EVERY):
        for kind, points in pauses.pauses_of(with_arms(clips[number]), np.random.default_rng([1, number])):
            (still if kind in pauses.STILL else moving).append((points, number))
    drawn = [(points, -1) for points in drawn_clips(SIGNS)[1][::2]]
    nobody = replace(clips[0], body=np.full_like(clips[0].body, np.nan), hands=np.full_like(clips[0].hands, np.nan))
    kinds = ((moving, MOVING), (still, STILL), (drawn, OTHER), ([(nobody, -1)], NOBODY))
    return [Move(points, counts / len(kind), owner) for kind, counts in kinds for points, owner in kind]


def with_arms(points: Points) -> Points:
    """The same with elbows, and with wrists that hang where no hand is seen."""
    body = points.body.copy()
    middle, scale = body[:, posture.SHOULDERS, :2].mean(axis=1), posture.shoulder_width(body) / (2 * SHOULDER[0])
    body[:, EYE] = body[:, NOSE]
    for left, side in ((0, 1), (1, -1)):
        wrists = (points.hands[:, left, 0, :2] - middle) / scale
        wrists = np.where(np.isnan(wrists), (side * REST[0], REST[1]), wrists)
        elbows = np.array([elbow((side * SHOULDER[0], SHOULDER[1]), wrist, side) for wrist in wrists])
        for point, places in ((13, elbows), (15, wrists), (17, wrists), (19, wrists), (21, wrists)):
            body[:, point + left] = np.column_stack([middle + places * scale, np.zeros(len(body)), np.ones(len(body))])
    return replace(points, body=body)
