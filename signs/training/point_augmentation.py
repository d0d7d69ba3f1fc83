"""What is drawn at random for the points of each clip and epoch: time, place, each hand, what is seen at all.

The person is turned, stretched and leant, as other cameras and bodies show the sign; each hand alone a little more;
points tremble; a hand is lost for a while or altogether, as in the dark and in far pictures; time runs unevenly. Half
of the clips may be seen in a mirror, where left becomes right (points of body and hands too).
"""

from dataclasses import dataclass, replace

from signs.clips import posture
from signs.clips.points import Points
from signs.training.options import option

import numpy as np

BENDS = 5  # moments between which the speed changes


@dataclass(frozen=True)
class Drawn:
    """One clip's: `flipped` left to right; `seed` of all that its points need."""

    flipped: bool
    seed: list[int]


@dataclass(frozen=True)
class PointAugmentation:
    """Numbers are standard deviations, but for shares and chances."""

    turn: float = option(0.2, "of the whole person, in radians", least=0)
    stretch: float = option(0.2, "of width and of height, each by a factor of e to this", least=0)
    lean: float = option(0.1, "shear of the whole person", least=0)
    hand_turn: float = option(0.3, "of each hand alone, in radians", least=0)
    hand_stretch: float = option(0.2, "of each hand alone, a factor of e to this", least=0)
    hand_shift: float = option(0.1, "of each hand alone, in shoulder widths", least=0)
    tremble: float = option(0.02, "of each point by itself, in shoulder widths", least=0)
    lost: float = option(0.08, "chance that a hand is not seen at all", least=0, most=1)
    lost_a_while: float = option(0.3, "chance that a hand is not seen for up to half of the clip", least=0, most=1)
    cut: float = option(0.2, "largest share of the clip that is left out at each end", least=0, below=0.5)
    pace: float = option(0.3, "unevenness of time, a factor of e to this", least=0)
    mixup: float = option(0.0, "alpha of the Beta distribution with which the clips of a batch are mixed", least=0)
    smoothing: float = option(0.1, "share of a target that goes to all classes alike", least=0, below=1)
    flip: bool = False
    swaps: tuple[tuple[str, str], ...] = ()

    def draw(self, rng: np.random.Generator) -> Drawn:
        """The same numbers for the same generator."""
        return Drawn(bool(self.flip and rng.random() < 0.5), rng.integers(2**32, size=4).tolist())

    def see(self, points: Points, drawn: Drawn, moments: int) -> np.ndarray:
        """(moments, posture.VALUES) float32 of a clip as it was drawn."""
        rng = np.random.default_rng(drawn.seed)
        hands = points.hands.copy()
        for side in (0, 1):
            self._lose(hands[:, side], rng)
        seconds = self._moments(points.times, moments, rng)
        body, hands, present = posture.sampled(replace(points, hands=hands), seconds)
        self._move(body, hands, posture.shoulder_width(points.body), rng)
        values = posture.values_of(body, hands, present, seconds, posture.shoulder_width(body))
        return posture.mirrored(values) if drawn.flipped else values

    def _move(self, body: np.ndarray, hands: np.ndarray, width: float, rng: np.random.Generator) -> None:
        """Change places: of all points, of each hand, of each point."""
        middle = body[:, posture.SHOULDERS, :2].mean(axis=(0, 1))
        centre = middle if np.isfinite(middle).all() else 0 * middle
        stretch = np.diag(np.exp(rng.normal(0, self.stretch, 2)))
        stretch[0, 1] = rng.normal(0, self.lean)
        whole = turned(rng.normal(0, self.turn)) @ stretch
        wrists = hands[:, :, :1, :2].copy()
        moved = transformed(wrists - centre, whole) + centre
        body[..., :2] = transformed(body[..., :2] - centre, whole) + centre
        for side in (0, 1):
            alone = turned(rng.normal(0, self.hand_turn)) * np.exp(rng.normal(0, self.hand_stretch))
            shift = np.float32(rng.normal(0, self.hand_shift * width, 2))
            from_wrist = transformed(hands[:, side, :, :2] - wrists[:, side], alone @ whole)
            hands[:, side, :, :2] = from_wrist + (moved[:, side] + shift)
        tremble = np.float32(self.tremble * width)
        body[..., :2] += tremble * rng.standard_normal(body[..., :2].shape, np.float32)
        hands[..., :3] += 0.3 * tremble * rng.standard_normal(hands[..., :3].shape, np.float32)

    def _lose(self, hand: np.ndarray, rng: np.random.Generator) -> None:
        """Take a hand away, (T, 21, 4)."""
        chance, begin = rng.random(), rng.integers(len(hand))
        length = rng.integers(1, max(2, len(hand) // 2 + 1))
        if chance < self.lost:
            hand[:] = np.nan
        elif chance < self.lost + self.lost_a_while:
            hand[begin : begin + length] = np.nan

    def _moments(self, times: np.ndarray, moments: int, rng: np.random.Generator) -> np.ndarray:
        """(moments,) seconds of a part of the clip, at a speed that changes."""
        first, last = rng.uniform(0, self.cut), 1 - rng.uniform(0, self.cut)
        speed = np.exp(rng.normal(0, self.pace, BENDS))
        speed = np.interp(np.linspace(0, BENDS - 1, moments), np.arange(BENDS), speed)
        shares = np.cumsum(speed) - speed[0]
        shares = first + (last - first) * shares / max(shares[-1], 1e-9)
        return times[0] + shares * (times[-1] - times[0])


def turned(angle: float) -> np.ndarray:
    """(2, 2): by `angle` radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def transformed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(..., 2) points by a (2, 2) matrix. Written out: NumPy's product of so small ones is slow."""
    x, y = points[..., 0], points[..., 1]
    (a, b), (c, d) = matrix.astype(points.dtype)
    return np.stack([a * x + b * y, c * x + d * y], axis=-1)
