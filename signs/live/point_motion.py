"""When a sign begins and ends, from the points of body and hands: as motion.py tells it from pixels.

    detector = PointDetector()
    event = detector.push(found, seconds)       None, "learnt", "began", "ended", "left"

Movement is the speed of the quicker hand, measured from the shoulders in shoulder widths a second, so that neither what
moves in the room nor the distance from the camera matters. For `LEARNING` seconds the rest pose is learnt, and how much
the points tremble. Whoever walks, so that the shoulders move, makes no sign: what had begun is "left".
"""

from collections import deque

from signs.clips.points import Found
from signs.clips.posture import SHOULDERS, shoulder_width
from signs.live.motion import BEGIN, END, HELD, LEARNING, PATIENCE

import numpy as np

STEP = 0.15  # seconds between the two places that are compared
LONGEST_STEP = 0.5  # seconds; who was not seen for longer has not moved in between
WRISTS, TIPS = [15, 16], [8, 12]  # of the body; of a hand, index and middle finger
VISIBLE = 0.3  # from which a wrist counts as seen
MOVED = 0.7  # shoulder widths a second; real people at rest reach 0.4, in signs 2 and more
ABOVE = 2.0  # times the most that trembled while learning
RESTLESS = 3.0  # the same speed while learning, after which even a hand in PATIENCE is not taken for rest
WALKING = 0.9  # shoulder widths a second of the shoulders themselves; in signs they reach 0.4
NEARING = 0.6  # share of a shoulder width a second by which somebody grows or shrinks who walks to or from the camera
SETTLING = 0.6  # seconds after walking in which the arms still swing
POSED = 0.6  # shoulder widths by which a hand is elsewhere than at rest
DRIFT = 0.02  # how much of the rest pose follows each still frame


class PointDetector:
    """state: learning, still or moving; level: how quickly a hand moves, shoulder widths a second; needed: the least
    that counts; moved: seconds of the last movement; progress: how much has been learnt."""

    def __init__(self):
        self.state, self.level, self.needed = "learning", 0.0, MOVED
        self.moved, self.progress = 0.0, 0.0
        self._recent: deque[tuple[np.ndarray, np.ndarray, float]] = deque()
        self._learnt: list[tuple[np.ndarray, float]] = []
        self._rest: np.ndarray | None = None
        self._since: float | None = None  # when learning began, or the first movement of what may become a sign
        self._first: float | None = None  # when somebody was first seen
        self._walked = -np.inf  # seconds at which somebody last walked

    def push(self, found: Found, seconds: float) -> str | None:
        """Points of a frame; seconds on a clock that only goes forward -> the event of this frame, or None."""
        hands = self._measure(found, seconds)
        if self.state == "learning":
            return self._learn(hands, seconds)
        walks = seconds - self._walked < SETTLING
        moving = self.level > self.needed and not walks
        if self.state == "moving":
            if walks:
                self.state, self._since = "still", None
                return "left"
            self.moved = seconds if moving else self.moved
            return self._moving(hands, seconds)
        self.moved = seconds if moving else self.moved
        return self._still(hands, moving, seconds)

    def _measure(self, found: Found, seconds: float) -> np.ndarray:
        """(4, 2) shoulder widths from the shoulders to wrists and tips, NaN where not seen; finds level and walking."""
        while len(self._recent) > 1 and self._recent[1][2] <= seconds - STEP:
            self._recent.popleft()
        body = found.body
        middle, width = body[SHOULDERS, :2].mean(axis=0), shoulder_width(body[None])
        wrists = np.where(body[WRISTS, 3:] >= VISIBLE, body[WRISTS, :2], np.nan)
        hands = (np.concatenate([wrists, found.hands[:, TIPS, :2].mean(axis=1)]) - middle) / width
        person = np.array([*middle, width])
        self.level = 0.0
        if np.isnan(middle).any():
            return hands
        if self._recent and 0 < (gap := seconds - self._recent[0][2]) <= LONGEST_STEP:
            before, was, _ = self._recent[0]
            speeds = np.hypot(*(hands - before).T) / gap
            self.level = float(np.nanmax(speeds)) if not np.isnan(speeds).all() else 0.0
            ways = np.abs(person - was) / (width * gap)
            if np.hypot(*ways[:2]) > WALKING or ways[2] > NEARING:
                self._walked = seconds
        self._recent.append((hands, person, seconds))
        return hands

    def _learn(self, hands: np.ndarray, seconds: float) -> str | None:
        """Collect moments of rest; begin again while somebody moves, or nobody is there."""
        there = bool(self._recent) and self._recent[-1][2] == seconds
        if self._since is None or not there:
            self._since = seconds
        if there and self._first is None:
            self._first = seconds
        patient = self._first is not None and seconds - self._first >= PATIENCE - LEARNING
        restless = self.level > (RESTLESS if patient else MOVED) or seconds - self._walked < STEP
        self.progress = min(1.0, (seconds - self._since) / LEARNING)
        if not there or restless:
            self._since = seconds
            self._learnt.clear()
            return None
        self._learnt.append((hands, self.level))
        if seconds - self._since < LEARNING or len(self._learnt) < 5:
            return None
        self._rest = nan_median(np.stack([place for place, _ in self._learnt]))
        trembling = float(np.percentile([level for _, level in self._learnt], 98))
        self.needed = max(MOVED, ABOVE * trembling)
        self._learnt.clear()
        self.state, self._since = "still", None
        return "learnt"

    def _still(self, hands: np.ndarray, moving: bool, seconds: float) -> str | None:
        if not moving:
            self._since = None
            known = np.where(np.isnan(self._rest), hands, self._rest)
            self._rest = known + np.nan_to_num(DRIFT * (hands - known))
            return None
        self._since = seconds if self._since is None else self._since
        if seconds - self._since < BEGIN:
            return None
        self.state = "moving"
        return "began"

    def _moving(self, hands: np.ndarray, seconds: float) -> str | None:
        posed = self._posed(hands)
        if seconds - self.moved < (HELD if posed else END):
            return None
        self.state, self._since = "still", None
        if posed:  # held for so long, it is the new rest
            self._rest = hands.copy()
        return "ended"

    def _posed(self, hands: np.ndarray) -> bool:
        """Whether a wrist is elsewhere than at rest, or seen where none was."""
        away = np.hypot(*(hands[:2] - self._rest[:2]).T) > POSED
        appeared = np.isnan(self._rest[:2, 0]) & ~np.isnan(hands[:2, 0])
        return bool((away | appeared).any())


def nan_median(places: np.ndarray) -> np.ndarray:
    """(T, ...) -> (...), of what was seen; NaN where that is less than half."""
    filled = np.where(np.isnan(places), np.inf, places)
    seen = ~np.isnan(places)
    count = np.maximum(seen.sum(axis=0), 1)
    middle = np.take_along_axis(np.sort(filled, axis=0), ((count - 1) // 2)[None], axis=0)[0]
    return np.where(seen.mean(axis=0) >= 0.5, middle, np.nan)
