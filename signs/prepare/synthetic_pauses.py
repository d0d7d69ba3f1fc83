"""How somebody moves who does not sign: numbers in, the ways of both wrists and of the whole person out.

    right, left = Pause("touch").wrists(amplitude=1.0, tempo=1.0, rng=np.random.default_rng(1))
    places = places_of("touch", rng)                               where a hand goes to
    way = visit(rest, places, length, rate, rng)                   from rest to there and back

Places are those of the right hand, which is on the picture's left, in shoulder widths from the middle of the shoulders,
x to the right of the picture and y down. A Pause gives pixels, as synthetic_movement.py does.
"""

import math
from dataclasses import dataclass

from signs.prepare.synthetic_movement import REST, SHOULDER, ease, smooth, within_reach

import numpy as np

# What a drawn signer learns from; the others are drawn to ask about alone: UNSEEN_VALID of validation signers,
# UNSEEN_TEST of test signers.
LEARNT = ("rest", "touch", "clothes", "reach", "wander", "fold", "wave", "walk")
UNSEEN_VALID = ("stretch",)
UNSEEN_TEST = ("salute", "clap")
RATE = 10  # frames a second, as synthetic.py draws
FRAMES = (27, 50)  # of a clip at tempo 1, as long as the signs
BOTH = ("fold", "stretch", "clap")  # are made with both hands, the others mostly with one
WIDTH = 2 * SHOULDER[0]  # pixels of a shoulder width
OUTSIDE = 250.0  # pixels from her place where a person is not in the picture any more
# Hair, ear, eye, nose, mouth, chin, neck, the other shoulder and arm, chest, belly.
FACE = ((-0.17, -0.85), (-0.32, -0.5), (-0.12, -0.54), (-0.05, -0.37), (-0.05, -0.27), (-0.05, -0.17), (-0.2, 0))
FACE += ((0.37, 0.1), (0.54, 0.5), (0.05, 0.44), (0, 0.85))
CLOTHES = ((-0.2, 0.07), (-0.12, 0.37), (-0.2, 0.73), (-0.27, 1.0), (-0.39, 0.24), (-0.17, -0.07), (-0.4, 0.9))
# Where a hand stays, and how far and in which direction it swings there, shoulder widths; how often a second.
HELD = {
    "fold": ((0.2, 0.55), (0, 0), 0),
    "wave": ((-0.95, -0.4), (0.2, 0.03), 1.5),
    "stretch": ((-0.5, -1.0), (0, 0), 0),
    "salute": ((-0.3, -0.72), (0, 0), 0),
    "clap": ((-0.2, 0.45), (0.15, 0), 1.8),
}


@dataclass(frozen=True)
class Pause:
    """kind: one of LEARNT, UNSEEN_VALID or UNSEEN_TEST."""

    kind: str
    hand: None = None  # the signer's own shape, or any

    def wrists(self, amplitude: float, tempo: float, rng: np.random.Generator) -> list[np.ndarray]:
        """Both wrists over time, two (T, 2) arrays of pixels from between the shoulders."""
        length, hands = round(rng.integers(*FRAMES) / tempo), []
        busy = (-1, 1) if self.kind in BOTH else (rng.choice((-1, 1)),)
        if self.kind in ("clothes", "wander") and rng.random() < 0.5:
            busy = (-1, 1)
        moment = rng.bit_generator.state  # what both hands do together begins and ends together
        for side in (-1, 1):
            rest = np.array([side * REST[0], REST[1]])
            way = np.repeat(rest[None], length, axis=0)
            if self.kind == "walk":
                way = way + side * 6 * np.sin(np.arange(length) * 2 * math.pi / 9 * tempo)[:, None] * (1, 0.2)
            elif self.kind != "rest" and side in busy:
                if self.kind in BOTH:
                    rng.bit_generator.state = moment
                way = self._way(rest * (-side, 1), length, amplitude, tempo, rng) * (-side, 1)
            hands.append(within_reach(way + smooth(rng, length, 1.2), side))
        return hands

    def _way(self, rest: np.ndarray, length: int, amplitude: float, tempo: float, rng) -> np.ndarray:
        """(2,) pixels -> (length, 2): the right wrist's way from rest and back."""
        if self.kind in HELD:
            way = self._held((rest - (0, SHOULDER[1])) / WIDTH, length, amplitude, tempo, rng)
        else:
            way = visit((rest - (0, SHOULDER[1])) / WIDTH, places_of(self.kind, rng), length, RATE, rng)
        return way * WIDTH + (0, SHOULDER[1])

    def _held(self, rest: np.ndarray, length: int, amplitude: float, tempo: float, rng) -> np.ndarray:
        """(2,) -> (length, 2) shoulder widths: to a place, there to and fro, and back."""
        place, stroke, often = HELD[self.kind]
        place = np.add(place, rng.normal(0, 0.05, 2))
        begin, end = np.sort(rng.uniform((0, 0.75), (0.25, 1))) * length
        quick, frames = rng.uniform(0.3, 0.6) * RATE, np.arange(length)
        raised = (ease((frames - begin) / quick) * ease((end - frames) / quick))[:, None]
        swing = np.sin(2 * math.pi * (often * tempo * frames / RATE + rng.random()))[:, None]
        return rest + (place + amplitude * swing * np.array(stroke) - rest) * raised

    def steps(self, length: int, rng: np.random.Generator) -> np.ndarray:
        """(length, 2) pixels by which the whole person is away from her place: she walks in or out, or sways."""
        if self.kind == "rest":
            return smooth(rng, length, 3) * (1, 0.2)
        if self.kind != "walk":
            return np.zeros((length, 2))
        far = rng.choice((-1, 1)) * OUTSIDE * ease((np.arange(length) / length - rng.uniform(0, 0.2)) / 0.7)
        bob = 1.5 * np.sin(np.arange(length) * 1.4)
        return np.column_stack([far, bob])[:: rng.choice((-1, 1))]


def places_of(kind: str, rng: np.random.Generator) -> np.ndarray:
    """(stops, 2) where the right hand goes to, one place after the other."""
    stops = rng.integers(2, 7) if kind == "wander" else rng.integers(1, 3)
    if kind == "wander":
        return np.column_stack([rng.uniform(-1.4, 0.45, stops), rng.uniform(-0.9, 1.2, stops)])
    if kind == "reach":
        turn, far = rng.uniform(-0.6, 0.45) * math.pi, 1.2 * rng.uniform(0.7, 1)
        return np.array([[-0.5 - far * math.cos(turn), 0.1 - far * math.sin(turn)]])
    places = np.array(FACE if kind == "touch" else CLOTHES)
    return places[rng.integers(len(places), size=stops)] + rng.normal(0, 0.07, (stops, 2))


def visit(rest: np.ndarray, places: np.ndarray, length: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """(2,) and (stops, 2) -> (length, 2) a wrist's way from rest to each place and back, at so many frames a second.
    There it stays, or rubs."""
    begin, end = np.sort(rng.uniform((0, 0.75), (0.25, 1))) * length
    cuts = begin + (end - begin) * np.cumsum(rng.dirichlet(np.full(len(places), 4.0)))[:-1]
    quick, frames = rng.uniform(0.25, 0.6) * rate, np.arange(length)  # quick: frames from one place to the next
    way = np.repeat(rest[None], length, axis=0)
    for place, moment in zip(places, [begin, *cuts], strict=True):
        way = way + (place - way) * ease((frames - moment) / quick)[:, None]
    turn = 2 * math.pi * (rng.uniform(1, 4) * frames / rate + rng.random())
    rubbed = rng.integers(2) * rng.uniform(0.02, 0.08) * np.column_stack([np.cos(turn), np.sin(turn)]) * rng.random(2)
    raised = (ease((frames - begin) / quick) * ease((end - frames) / quick))[:, None]
    return rest + (way + rubbed - rest) * raised
