"""What somebody does who does not sign, drawn with the body and the hands of one of her own takes.

    for kind, points in pauses_of(take, np.random.default_rng(0)): ...        a clip of each of KINDS

Nobody has to record it: she stands still as when the take begins and ends, touches her face, straightens her clothes,
reaches for something, or moves her hands from place to place. Body, camera and hand shapes are hers, so that nothing
but the movement tells it from her signs. Lengths are in shoulder widths from the middle of the shoulders, x to the
right of the picture and y down; places are those of the right hand, which is on the picture's left.
"""

import math
from dataclasses import dataclass, replace

from signs.clips import posture
from signs.clips.points import Points
from signs.prepare.synthetic_pauses import places_of, visit

import numpy as np

KINDS = ("begins", "ends", "touch", "clothes", "reach", "wander", "wander")
STILL = ("begins", "ends")
AWAY = 0.4  # from where a hand rests to where it signs, at least
RATE = 15  # frames a second
SECONDS = (0.8, 8.0)  # of a clip, least and most
ARMS = (13, 14, 15, 16, *range(17, 23))  # of the body's points
ELBOW, WRIST, SHOULDER = 13, 15, 11  # the left one's; the right one's is the next


def pauses_of(take: Points, rng: np.random.Generator) -> list[tuple[str, Points]]:
    """A clip of each of KINDS by who makes a take; none where a shoulder, an elbow or a wrist is not found.
    She is not drawn standing still as the take begins or ends if that is how she holds her hands in most of it."""
    person = person_of(take)
    kinds = [kind for kind in KINDS if kind not in STILL or person.rests(kind)] if person else []
    return [(kind, person.pause(kind, rng)) for kind in kinds]


def person_of(take: Points) -> "Person | None":
    """Who makes a take; None where a shoulder, an elbow or a wrist is not found."""
    whole = replace(take, body=posture.between(take.body, take.times, take.times))
    arms = whole.body[:, [SHOULDER, SHOULDER + 1, *ARMS[:4]], 0]
    return None if np.isnan(arms).any() else Person.of(whole)


@dataclass(frozen=True)
class Person:
    """take: whose body is (T, 33, 4) without gaps; width: pixels of a shoulder width; upper, fore: how long both arms'
    halves are at most, (2,) pixels, the left one first; shapes: (side, radians of the forearm, (21, 4) from the wrist)
    of every third hand that is seen."""

    take: Points
    width: float
    upper: np.ndarray
    fore: np.ndarray
    shapes: list[tuple[int, float, np.ndarray]]

    @classmethod
    def of(cls, take: Points) -> "Person":
        body = take.body
        upper, fore = (
            np.linalg.norm(body[:, [first, first + 1], :2] - body[:, [first + 2, first + 3], :2], axis=-1).max(axis=0)
            for first in (SHOULDER, ELBOW)
        )
        shapes = []
        for side in (0, 1):
            for moment in np.flatnonzero(~np.isnan(take.hands[:, side, 0, 0]))[::3]:
                shape = take.hands[moment, side].copy()
                shape[:, :3] -= shape[0, :3]
                across, down = body[moment, WRIST + side, :2] - body[moment, ELBOW + side, :2]
                shapes.append((side, math.atan2(down, across), shape))
        return cls(take, posture.shoulder_width(body), upper, fore, shapes)

    def rests(self, kind: str) -> bool:
        """Whether a hand is elsewhere in most of the take than where it begins or ends."""
        body = self.take.body
        wrists = body[:, [WRIST, WRIST + 1], :2] - body[:, posture.SHOULDERS, :2].mean(axis=1, keepdims=True)
        away = np.linalg.norm(wrists[0 if kind == "begins" else -1] - np.median(wrists, axis=0), axis=-1)
        return bool(away.max() >= AWAY * self.width)

    def pause(self, kind: str, rng: np.random.Generator) -> Points:
        """One clip of a kind."""
        seconds = (self.take.times[-1] - self.take.times[0]) * math.exp(rng.normal(0, 0.2))
        length = max(8, round(RATE * float(np.clip(seconds, *SECONDS))))
        last = len(self.take.times) - 1
        at = {"begins": 0, "ends": last}.get(kind, rng.choice([0, 0, last]))
        body, hands, middle = self.standing(length, at, rng)
        if kind not in STILL:
            one = rng.integers(2) if kind == "reach" or rng.random() < (0.9 if kind == "touch" else 0.5) else None
            places = places_of(kind, rng)
            for side in (1, 0) if one is None else (one,):  # the right hand first
                if side == 0 and one is None and rng.random() < 0.5:
                    places = places_of(kind, rng)
                rest = (body[0, WRIST + side, :2] - middle[0]) / self.width
                wrists = visit(rest, places * (1 if side else -1, 1), length, RATE, rng)
                self.move(body, hands, side, middle + wrists * self.width, rng)
        return Points(body, hands, np.arange(length) / RATE, self.take.size)

    def standing(self, length: int, at: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Body (T, 33, 4), hands (T, 2, 21, 4) and the middle of the shoulders (T, 2): she moves as in the take, to or
        fro, and her arms stay as they are in its frame `at`."""
        frames = np.linspace(0, len(self.take.times) - 1, length).round().astype(int)
        body = self.take.body[frames[:: rng.choice([-1, 1])]].copy()
        still, hands = self.take.body[at], np.repeat(self.take.hands[at][None], length, axis=0)
        middle = body[:, posture.SHOULDERS, :2].mean(axis=1)
        moved = middle - still[posture.SHOULDERS, :2].mean(axis=0)
        body[:, ARMS] = still[list(ARMS)]
        body[:, ARMS, :2] += moved[:, None]
        hands[..., :2] += moved[:, None, None]
        return body, hands, middle

    def sign(self, other: Points, rng: np.random.Generator) -> Points:
        """Another person's sign, made by this one: her hands go where the other's went, as far as her arms reach."""
        length = max(8, round(RATE * float(np.clip(other.times[-1] - other.times[0], *SECONDS))))
        moments = np.linspace(other.times[0], other.times[-1], length)
        body, hands, middle = self.standing(length, rng.choice([0, len(self.take.times) - 1]), rng)
        others_body, others_hands, present = posture.sampled(other, moments)
        scale = self.width / posture.shoulder_width(other.body)
        of = others_body[:, posture.SHOULDERS, :2].mean(axis=1)
        for side in (0, 1):
            shape = others_hands[:, side]
            if np.isnan(shape[:, 0, 0]).any():  # never seen: it rests
                continue
            _, wrists = self.reach(body, side, middle + (shape[:, 0, :2] - of) * scale)
            shape[..., :3] = (shape[..., :3] - shape[:, :1, :3]) * scale
            shape[..., :2] += wrists[:, None]
            shape[present[:, side] < 0.5] = np.nan
            hands[:, side] = shape
        return Points(body, hands, np.arange(length) / RATE, self.take.size)

    def move(self, body: np.ndarray, hands: np.ndarray, side: int, wrists: np.ndarray, rng) -> None:
        """Bring an arm's wrist to (T, 2) pixels, as far as the arm reaches, with a hand of the take."""
        elbows, wrists = self.reach(body, side, wrists)
        hands[:, side] = np.nan
        if self.shapes:
            hands[:, side] = self.hand(side, wrists, np.arctan2(*(wrists - elbows).T[::-1]), rng)

    def reach(self, body: np.ndarray, side: int, wrists: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bring an arm's wrist to (T, 2) pixels, as far as it reaches; where elbow and wrist are then, (T, 2) each."""
        shoulders = body[:, SHOULDER + side, :2]
        ways = wrists - shoulders
        far = np.maximum(np.linalg.norm(ways, axis=1), 1.0)
        reach = np.minimum(far, 0.995 * (self.upper[side] + self.fore[side]))
        ways /= far[:, None]
        # As synthetic_movement.elbow: a near hand is held out in front of the body, so both bones look shorter.
        shortened = 0.55 + 0.45 * reach / (self.upper[side] + self.fore[side])
        upper, fore = self.upper[side] * shortened, self.fore[side] * shortened
        along = (upper**2 - fore**2 + reach**2) / (2 * reach)
        across = np.sqrt(np.maximum(upper**2 - along**2, 0)) * (-1 if side else 1)
        normal = np.column_stack([ways[:, 1], -ways[:, 0]])
        elbows, wrists = shoulders + ways * along[:, None] + normal * across[:, None], shoulders + ways * reach[:, None]
        body[:, ELBOW + side, :2], body[:, WRIST + side, :2] = elbows, wrists
        return elbows, wrists

    def hand(self, side: int, wrists: np.ndarray, forward: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(T, 2) wrists, (T,) radians of the forearm -> (T, 21, 4) a hand of the take, lost now and then."""
        of, angle, shape = self.shapes[rng.integers(len(self.shapes))]
        flat = shape[:, :2] * (1 if of == side else -1, 1)
        turn = forward - (angle if of == side else math.pi - angle) + rng.normal(0, 0.4)
        cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
        turned = np.stack([cos * flat[:, 0] - sin * flat[:, 1], sin * flat[:, 0] + cos * flat[:, 1]], axis=-1)
        hand = np.empty((len(wrists), 21, 4), np.float32)
        hand[..., :2], hand[..., 2:] = wrists[:, None] + turned, shape[:, 2:]
        knots = np.arange(0, len(wrists) + 5, 5)
        hand[np.interp(np.arange(len(wrists)), knots, rng.random(len(knots))) > 0.85] = np.nan
        return hand
