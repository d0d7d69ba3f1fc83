"""Any number of synthetic signs, to pre-train on: numbers in, movements of both hands out.

    signs = synthetic_signs.draw_signs(60)
    colour, depth = synthetic.draw_clip(signer, signs[11], np.random.default_rng(2))

A sign is a place before the body, a path, its direction, size and number of repetitions, one hand or both, and a hand
shape: the parameters by which sign linguists tell signs apart (Stokoe 1960: location, movement, hand shape). They are
drawn once, so sign 12 is the same in every data set; how fast, how large and where exactly is each signer's own.
"""

import math
from dataclasses import dataclass

from signs.prepare.synthetic import HANDS as HAND_SHAPES
from signs.prepare.synthetic_movement import REST, Standing, ease, smooth, within_reach

import numpy as np

# Middle of the right hand's path, as `synthetic_movement` measures: pixels from between the shoulders, y down.
PLACES = {
    "overhead": (48, -62),
    "temple": (50, -34),
    "shoulder": (78, 4),
    "chest": (22, 34),
    "side": (92, 44),
    "belly": (30, 84),
    "across": (-8, 46),
}
PATHS = ("line", "circle", "arc", "zigzag", "hold")
HANDS = ("right", "right", "left", "mirrored", "parallel", "alternating")


@dataclass(frozen=True)
class Sign(Standing):
    """place: a name of PLACES; path of PATHS, turned by `turn` radians, `reach` pixels to each side of its middle,
    `swings` times to and fro; hands of HANDS; hand: index of synthetic.HANDS."""

    place: str
    path: str
    turn: float
    reach: float
    swings: float
    hands: str
    hand: int

    @property
    def name(self) -> str:
        way = {"hold": "", "circle": "-back" * (self.turn > 0)}.get(self.path, f"-{math.degrees(self.turn):.0f}")
        return f"{self.hands}-{self.place}-{self.path}{way}"

    def wrists(self, amplitude: float, tempo: float, rng: np.random.Generator) -> list[np.ndarray]:
        """Both wrists over time, two (T, 2) arrays of pixels: rest, raise, sign, lower or not, rest."""
        speed = tempo * rng.uniform(0.85, 1.15)
        signing = max(6, round(12 * self.swings / speed))
        before, raising, lowering, after = rng.integers([1, 3, 3, 0], [9, 7, 7, 8])
        frames = np.arange(before + raising + signing + lowering + after, dtype=float)
        raised = ease((frames - before) / raising)
        if rng.random() < 0.7:  # in the others the recording ends with the hand still up
            raised *= ease((before + raising + signing + lowering - frames) / lowering)
        time = np.clip((frames - before - raising) / signing, 0, 1)
        size = self.reach * amplitude * rng.uniform(0.85, 1.15)
        turn = self.turn + rng.normal(0, 0.12)
        place = np.add(PLACES[self.place], rng.normal(0, 4, 2))
        strokes = {"right": self.stroke(time, turn, size)}
        strokes["left"] = self.stroke(time, turn, size, 0.5 if self.hands == "alternating" else 0.0)
        if self.hands != "parallel":
            strokes["left"] = strokes["left"] * (-1, 1)
        return [self._arm(side, place, strokes[name], raised, rng) for name, side in (("right", -1), ("left", 1))]

    def _arm(self, side: int, place, stroke, raised, rng) -> np.ndarray:
        """(T, 2): one wrist from its rest along the stroke and back; `side` is -1 for the right arm."""
        rest = np.array([side * REST[0], REST[1]])
        wobble = smooth(rng, len(raised), 1.2)
        if self.hands in ("right", "left") and (self.hands == "right") != (side == -1):
            return rest + wobble
        # A right hand's path is given as the signer sees it: x to the outside.
        middle = np.array([side * place[0], place[1]])
        moved = rest + (middle - rest) * raised[:, None] + stroke * (-1, 1) * raised[:, None] + wobble
        return within_reach(moved, side)

    def stroke(self, time: np.ndarray, turn: float, size: float, later: float = 0.0) -> np.ndarray:
        """(T,) 0 to 1 -> (T, 2) pixels from the middle of the path; `later`: share of a swing that it lags behind."""
        if self.path == "hold":
            return np.zeros((len(time), 2))
        phase = 2 * math.pi * (self.swings * time + later)
        swing = np.sin(phase)
        across = {
            "line": 0 * swing,
            "circle": np.cos(phase) * (-1 if self.turn else 1),
            "arc": 0.6 * np.cos(2 * phase),
            "zigzag": 0.4 * np.sin(4 * phase),
        }[self.path]
        cos, sin = math.cos(turn), math.sin(turn)
        return size * np.stack([swing * cos - across * sin, swing * sin + across * cos], axis=1)


def draw_signs(count: int) -> list[Sign]:
    """The first `count` signs; no two of them alike in more than size, repetitions and hand shape."""
    rng, signs = np.random.default_rng(0), {}
    while len(signs) < count:
        path = PATHS[rng.choice(len(PATHS), p=[0.35, 0.25, 0.15, 0.15, 0.1])]
        place, hands, turn = rng.choice(list(PLACES)), rng.choice(HANDS), rng.integers(4)
        turn = {"hold": 0, "circle": turn % 2}.get(path, turn)  # of a circle: one way round or the other
        if path == "hold" and hands not in ("right", "left"):
            hands = "mirrored"  # two hands that stay differ in nothing else
        reach, swings = float(rng.uniform(16, 34)), float(rng.choice([0.5, 1, 2, 3]))
        hand = int(rng.integers(len(HAND_SHAPES)))
        sign = Sign(str(place), path, float(turn * math.pi / 4), reach, swings, str(hands), hand)
        signs.setdefault((place, path, turn, hands), sign)
    return list(signs.values())
