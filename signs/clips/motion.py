"""When a sign begins and ends: learns the rest pose, and tells movement from the camera's noise. The live demo asks it
of a camera, trim.py of files.

    detector = Detector()
    event = detector.push(frame, seconds)       None, "learnt", "began", "ended"

For `LEARNING` seconds the rest pose and the noise of every place are learnt (`Detector.learn_rest`). After that
movement is the share of places that changed by more than their noise, and a sign lasts from the first movement to the
last one.
Whoever holds still in another pose than that of rest may be in the middle of a sign, so there the end takes longer.
"""

from collections import deque

from signs.clips.region import small_grey

import numpy as np

SIDE = 60  # pixels of the short side at which movement is looked for; it takes away most of the noise
LEARNING = 3.0  # seconds of rest
STEP = 0.1  # seconds between the two pictures that are compared: a slow hand has moved by then at any frame rate
NOISE = 5.0  # times its own noise by which a place has to change
QUIETEST = 4.0  # grey levels, of 255, below which no change counts, however clean the camera is
MOVED = 0.002  # share of the picture that has to move at least: a hand some six metres away
ABOVE = 2.0  # times the most that moved while learning
BEGIN = 0.12  # seconds of movement that begin a sign; shorter is a flicker
BEFORE, AFTER = 0.5, 0.25  # seconds before the first movement, and after the last, that belong to a sign
SHORTEST = 0.4  # seconds of movement; shorter is somebody scratching
END = 0.5  # seconds of stillness that end it
HELD = 1.2  # the same where the pose is not that of rest
POSED = 0.02  # share of the picture that differs from the rest pose in a hold
RESTLESS = 0.004  # share of the picture that may move while learning
PATIENCE = 9.0  # seconds after which what still moves (a fan, a screen) is taken for the room's
DRIFT = 0.02  # how much of the rest pose follows each still picture: daylight changes


class Detector:
    """state: learning, still or moving; level: share of the picture that moves now; needed: the least that counts;
    restless: somebody moves, so that learning began again."""

    def __init__(self):
        self.state, self.level, self.needed = "learning", 0.0, MOVED
        self._recent: deque[tuple[np.ndarray, float]] = deque()
        self._learnt: list[np.ndarray] = []
        self._levels: list[float] = []
        self._rest = self._noise = None
        self._since: float | None = None  # when learning began, or the first movement of what may become a sign
        self.moved, self.progress = 0.0, 0.0  # seconds of the last movement; how much has been learnt
        self.restless = False

    def push(self, frame: np.ndarray, seconds: float) -> str | None:
        """frame (H, W, 3) uint8 RGB; seconds on a clock that only goes forward -> the event of this frame, or None."""
        return self.push_picture(small_grey(frame, SIDE).astype(np.float32), seconds)

    def push_picture(self, picture: np.ndarray, seconds: float) -> str | None:
        """The same of a picture that is (SIDE, w) or (h, SIDE) float32 grey already."""
        change = self._change(picture, seconds)
        self._recent.append((picture, seconds))
        if self.state == "learning":
            return self._learn(picture, change, seconds)
        self.level = self._share(change)
        moving = self.level > self.needed
        if moving:
            self.moved = seconds
        return self._still(picture, moving, seconds) if self.state == "still" else self._moving(picture, seconds)

    def _change(self, picture: np.ndarray, seconds: float) -> np.ndarray:
        """How much each place differs from STEP seconds ago; a change of the light over all of it is taken away."""
        while len(self._recent) > 1 and self._recent[1][1] <= seconds - STEP:
            self._recent.popleft()
        if not self._recent:
            return np.zeros_like(picture)
        return unlit(picture - self._recent[0][0])

    def _share(self, change: np.ndarray) -> float:
        """How much of the picture differs by more than its noise, 0 to 1."""
        return float(np.mean(change > self._noise))

    def _learn(self, picture, change, seconds: float) -> str | None:
        """Collect pictures of rest; begin again while somebody moves."""
        if self._since is None:
            self._since = self._first = seconds
        self.progress = min(1.0, (seconds - self._since) / LEARNING)
        self.level = float(np.mean(change > 3 * QUIETEST))
        patient = seconds - self._first >= PATIENCE - LEARNING
        self.restless = self.level > RESTLESS and not patient
        if self.restless:  # someone is still sitting down
            self._since = seconds
            self._learnt.clear()
            return None
        self._learnt.append(picture)
        if seconds - self._since < LEARNING or len(self._learnt) < 5:
            return None
        self.learn_rest(np.stack(self._learnt), seconds - self._since)
        self._learnt.clear()
        return "learnt"

    def learn_rest(self, pictures: np.ndarray, seconds: float) -> None:
        """The rest pose, each place's noise, and how much has to move; (T, h, w) pictures of rest in `seconds`."""
        self.state, self._since = "still", None
        self._rest = np.median(pictures, axis=0)
        # Of the median distance, so that a blink or a breath is no noise; a difference has twice the variance.
        spread = 1.4826 * np.median(np.abs(pictures - self._rest), axis=0) * np.sqrt(2)
        self._noise = np.maximum(NOISE * spread, QUIETEST).astype(np.float32)
        steps = max(1, round(STEP * (len(pictures) - 1) / seconds))
        moved = [self._share(unlit(change)) for change in pictures[steps:] - pictures[:-steps]]
        self.needed = max(MOVED, ABOVE * float(np.percentile(moved, 98))) if moved else MOVED

    def _still(self, picture, moving: bool, seconds: float) -> str | None:
        if not moving:
            self._since = None
            self._rest += DRIFT * (picture - self._rest)
            return None
        self._since = seconds if self._since is None else self._since
        if seconds - self._since < BEGIN:
            return None
        self.state = "moving"
        return "began"

    def _moving(self, picture, seconds: float) -> str | None:
        posed = self._share(unlit(picture - self._rest)) > POSED
        if seconds - self.moved < (HELD if posed else END):
            return None
        self.state, self._since = "still", None
        if posed:  # held for so long, it is the new rest
            self._rest = picture.copy()
        return "ended"


def unlit(change: np.ndarray) -> np.ndarray:
    """Differences of two pictures without that of the light: (h, w) -> (h, w), 0 or more."""
    return np.abs(change - np.median(change))
