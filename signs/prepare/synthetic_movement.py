"""How the hands of a synthetic signer move: numbers in, the ways of both wrists out.

    right, left = Movement((1, 0), "against").wrists(amplitude=1.0, tempo=1.0, rng=np.random.default_rng(1))

All lengths are in pixels of the finished 320x240 frame for a person of scale 1, relative to the point between the
shoulders, x to the right and y down as the camera sees it: the signer's right hand is on the left.
"""

import math
from dataclasses import dataclass

import numpy as np

SHOULDER = (41.0, 8.0)  # x is mirrored for the other arm
UPPER_ARM, FOREARM = 51.0, 50.0
LONGEST = UPPER_ARM + FOREARM - 4  # from the shoulder that a wrist may be away
REST = (33.0, 116.0)  # the wrist before and after every sign
CENTRE = (45.0, 52.0)  # the middle of the wrist's line
REACH = 32.0  # from there to either end
SWINGS, PERIOD = 2, 14  # how often to and fro, and frames of one


class Standing:
    """A movement that is made on the spot."""

    def steps(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """(length, 2) pixels by which the whole person is away from her place."""
        return np.zeros((length, 2))


@dataclass(frozen=True)
class Movement(Standing):
    """axis: the line (x, y) along which both hands swing; relation: how the left hand swings to the right one's."""

    axis: tuple[int, int]
    relation: str
    hand: None = None  # the signer's own shape, or any

    def wrists(self, amplitude: float, tempo: float, rng: np.random.Generator) -> list[np.ndarray]:
        """Both wrists over time, two (T, 2) arrays of pixels: rest, raise, swing, lower, rest.

        Whatever the relation, each hand swings as often and as far along the same line: neither the average picture of
        a clip nor the average change in it tells one relation from another.
        """
        speed = tempo * rng.uniform(0.93, 1.07)
        raising, signing, lowering = (round(frames / speed) for frames in (4, SWINGS * PERIOD, 4))
        before, after = rng.integers(1, 5, 2)
        frames = np.arange(before + raising + signing + lowering + after, dtype=float)
        raised = ease((frames - before) / raising) * ease((frames[-1] - after + 1 - frames) / lowering)
        swung = SWINGS * np.clip((frames - before - raising) / signing, 0, 1)
        swings = swings_at(2 * math.pi * (swung + rng.uniform(-0.15, 0.15)), self.relation)
        size = REACH * amplitude * rng.uniform(0.94, 1.06) * raised
        paths = []
        for side, swing in zip((-1, 1), swings, strict=True):
            rest, centre = np.array([side * REST[0], REST[1]]), np.array([side * CENTRE[0], CENTRE[1]])
            wobble = smooth(rng, len(frames), 1.2) + rng.normal(0, 1.5, 2) * raised[:, None]
            stroke = (size * swing)[:, None] * np.array(self.axis)
            paths.append(rest + (centre - rest) * raised[:, None] + stroke + wobble)
        return paths


def swings_at(phase: np.ndarray, relation: str) -> tuple[np.ndarray, np.ndarray]:
    """(T,) phase of the right hand's swing, radians -> place of the right and of the left hand on its line, -1 to 1."""
    right = np.sin(phase)
    # "changing" changes where both hands pass the middle, nearest to half-way.
    change = math.pi * np.round((phase[0] + phase[-1]) / 2 / math.pi)
    left = {
        "together": right,
        "against": -right,
        "following": np.sin(phase - math.pi / 2),
        "changing": np.where(phase < change, right, -right),
    }
    return right, left[relation]


def elbow(shoulder, wrist, side: int) -> tuple[float, float]:
    """Where the elbow is for a shoulder and a wrist, in pixels: two-bone inverse kinematics, bent outwards and down.

    A near hand is held out in front of the body, so both bones look shorter.
    """
    dx, dy = wrist[0] - shoulder[0], wrist[1] - shoulder[1]
    whole = UPPER_ARM + FOREARM
    reach = min(max(math.hypot(dx, dy), 2.0), whole - 0.5)
    shortened = 0.55 + 0.45 * reach / whole
    upper, fore = UPPER_ARM * shortened, FOREARM * shortened
    along = (upper**2 - fore**2 + reach**2) / (2 * reach)
    across = math.sqrt(max(upper**2 - along**2, 0.0)) * side
    ux, uy = dx / reach, dy / reach
    return shoulder[0] + ux * along + uy * across, shoulder[1] + uy * along - ux * across


def within_reach(wrist: np.ndarray, side: int) -> np.ndarray:
    """(T, 2) a wrist's way -> the same, as far from the shoulder as an arm is long at most; side: -1 for the right."""
    shoulder = np.array([side * SHOULDER[0], SHOULDER[1]])
    arm = wrist - shoulder
    length = np.linalg.norm(arm, axis=1, keepdims=True)
    return shoulder + arm * np.minimum(1, LONGEST / np.maximum(length, 1e-6))


def ease(t):
    """0 to 1 without a jerk at either end."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def smooth(rng: np.random.Generator, length: int, size: float) -> np.ndarray:
    """(length, 2) slow random wandering of about `size` pixels."""
    t = np.linspace(0, 1, length)[:, None]
    waves = [rng.normal(0, size / (k + 1), 2) * np.sin(2 * math.pi * (k * t + rng.random(2))) for k in (1, 2, 3)]
    return np.sum(waves, 0)
