"""When a sign begins and ends, from the points of body and hands: as motion.py tells it from pixels.

    detector = PointDetector()
    event = detector.push(found, seconds)       None, "learnt", "began", "ended", "left"

Movement is the speed of wrists and finger tips, measured from the shoulders in shoulder widths a second, so that
neither the room nor the distance from the camera matters. For `LEARNING` seconds the rest pose is learnt, and how
much each point trembles. Whoever walks, so that the shoulders move, makes no sign: what had begun is "left".
"""

from collections import deque

from signs.clips.motion import BEGIN, END, HELD, LEARNING, PATIENCE
from signs.clips.points import Found
from signs.clips.posture import SHOULDERS, shoulder_width

import numpy as np

STEP = 0.15  # seconds between the two places that are compared
LONGEST_STEP = 0.5  # seconds; who was not seen for longer has not moved in between
WRISTS, TIPS = [15, 16], [8, 12]  # of the body; of a hand, index and middle finger
VISIBLE = 0.3  # from which a wrist counts as seen
MOVED = np.array([0.7, 0.7, 1.0, 1.0])  # of wrists and tips, shoulder widths a second; at rest 0.4, in signs 2 and more
ABOVE = 1.5  # times the most that a point trembled while learning
WALKED = 0.5  # seconds for which the way of the shoulders is looked at
WALKING = 0.9  # shoulder widths a second of the shoulders themselves; in signs they reach 0.4
NEARING = 0.5  # share of a shoulder width a second by which somebody grows or shrinks who walks to or from the camera
SETTLING = 0.6  # seconds after walking in which the arms still swing
TREMBLED = 0.35  # shoulder widths within which points stay that only tremble, however quickly
POSED = 0.6  # shoulder widths by which a hand is elsewhere than at rest
DRIFT = 0.02  # how much of the rest pose follows each still frame


class PointDetector:
    """state: learning, still or moving; level: how quickly the quickest point moves, in parts of what counts; moved:
    seconds of the last movement; progress: how much has been learnt; restless: somebody moves, so that learning began
    again."""

    needed = 1.0  # the least level that counts

    def __init__(self):
        self.state, self.level = "learning", 0.0
        self.moved, self.progress, self.restless = 0.0, 0.0, False
        self._needed = MOVED  # by point
        self._recent: deque[tuple[np.ndarray, np.ndarray, float]] = deque()  # hands, shoulders and seconds
        self._learnt: list[tuple[np.ndarray, np.ndarray]] = []
        self._rest: np.ndarray | None = None
        self._since: float | None = None  # the first of the movements that go on
        self._first: float | None = None  # when somebody was first seen
        self._began: float | None = None  # when learning began
        self._walked = -np.inf  # seconds at which somebody last walked
        self._disturbed = -np.inf  # seconds at which learning last began again

    def push(self, found: Found, seconds: float) -> str | None:
        """Points of a frame; seconds on a clock that only goes forward -> the event of this frame, or None."""
        hands, speeds = self._measure(found, seconds)
        self.level = float(np.nan_to_num(speeds / self._needed).max())
        walks = seconds - self._walked < SETTLING
        moving = self.level > self.needed and not walks
        since = seconds if self._since is None else self._since
        self._since = since if moving else None
        lasting = moving and seconds - since >= BEGIN
        if self.state == "learning":
            return self._learn(hands, speeds, lasting or walks, seconds)
        if moving:
            self.moved = seconds
        if self.state == "still":
            return self._still(hands, moving, lasting)
        if walks:
            self.state = "still"
            return "left"
        return self._moving(hands, seconds)

    def _measure(self, found: Found, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """(4, 2) shoulder widths from the shoulders to wrists and tips, and (4,) their speeds, NaN where not seen; sees
        whether somebody walks."""
        body, speeds = found.body, np.full(4, np.nan)
        middle, width = body[SHOULDERS, :2].mean(axis=0), shoulder_width(body[None])
        wrists = np.where(body[WRISTS, 3:] >= VISIBLE, body[WRISTS, :2], np.nan)
        hands = (np.concatenate([wrists, found.hands[:, TIPS, :2].mean(axis=1)]) - middle) / width
        if np.isnan(middle).any():
            return hands, speeds
        while self._recent and self._recent[0][2] < seconds - WALKED - 0.1:
            self._recent.popleft()
        earlier = [past for past in self._recent if past[2] <= seconds - STEP] or list(self._recent)[:1]
        if earlier and seconds > earlier[-1][2] >= seconds - LONGEST_STEP:
            speeds = np.hypot(*(hands - earlier[-1][0]).T) / max(seconds - earlier[-1][2], STEP)
        person = np.array([*middle, width])
        if self._recent and self._walks(person, seconds):
            self._walked = seconds
        self._recent.append((hands, person, seconds))
        return hands, speeds

    def _walks(self, person: np.ndarray, seconds: float) -> bool:
        """person: x, y and width of the shoulders, pixels."""
        _, before, when = self._recent[0]
        ways = np.abs(person - before) / person[2] / max(seconds - when, WALKED)
        return bool(np.hypot(*ways[:2]) > WALKING or ways[2] > NEARING)

    def _learn(self, hands: np.ndarray, speeds: np.ndarray, restless: bool, seconds: float) -> str | None:
        """Collect moments of rest; begin again while somebody moves, or nobody is there."""
        there = bool(self._recent) and self._recent[-1][2] == seconds
        if there and self._first is None:
            self._first = seconds
        patient = self._first is not None and seconds - self._first >= PATIENCE - LEARNING
        if not there or (restless and not patient):
            self._learn_anew(seconds, there)
            return None
        self._began = seconds if self._began is None else self._began
        self.progress = min(1.0, (seconds - self._began) / LEARNING)
        self._learnt.append((hands, np.nan_to_num(speeds)))
        if patient and self._wandered():  # points of poor pictures tremble as quickly as hands move, but stay there
            self._learn_anew(seconds, there)
            return None
        self.restless = seconds - self._disturbed < SETTLING
        if seconds - self._began < LEARNING or len(self._learnt) < 5:
            return None
        self._rest = nan_median(np.stack([place for place, _ in self._learnt]))
        trembling = np.percentile([speed for _, speed in self._learnt], 95, axis=0)
        self._needed = np.maximum(MOVED, ABOVE * trembling)
        self._learnt.clear()
        self.state, self._since = "still", None
        return "learnt"

    def _learn_anew(self, seconds: float, restless: bool) -> None:
        self._began, self.progress, self.restless = None, 0.0, restless
        self._disturbed = seconds if restless else -np.inf
        self._learnt.clear()

    def _wandered(self) -> bool:
        """Whether a wrist or finger was in unlike places while it was learnt."""
        places = np.stack([place for place, _ in self._learnt])
        seen = places[:, ~np.isnan(places).any(axis=(0, 2))]
        low, high = np.percentile(seen, (10, 90), axis=0)
        return bool((high - low > TREMBLED).any())

    def _still(self, hands: np.ndarray, moving: bool, lasting: bool) -> str | None:
        if not moving:
            known = np.where(np.isnan(self._rest), hands, self._rest)
            self._rest = known + np.nan_to_num(DRIFT * (hands - known))
        self.state = "moving" if lasting else "still"
        return "began" if lasting else None

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
