"""What somebody who records herself should hear at once: too dark, cut off, nobody there, nothing moved.

    advice = light_advice(frame) or place_advice(found)     one line, "" where all is well
    watch = Watch(); watch.frame(frame, seconds); watch.points(found); watch.notes()      of a whole take

Points of body and hands say where she is; without them only light and movement are looked at.
"""

from signs.clips.motion import MOVED, QUIETEST, SIDE, unlit
from signs.clips.points import Found
from signs.clips.posture import NOSE, SHOULDERS
from signs.clips.region import small_grey

import numpy as np

DARK = 40.0  # grey levels, of 255, in the mean: below it fingers drown in the camera's noise
ABOVE_NOSE = 0.55  # shoulder widths from the nose to the crown
NEAR = 0.5  # of the picture's width between the shoulders: no room is left for the hands
FAR = 0.08  # the same: a palm has some ten pixels there
WRISTS = [15, 16]
FEW = 8.0  # frames a second, below which a quick hand jumps
PART = 0.3  # share of a take's frames in which something is wrong, to be worth a note
HANDS = 0.1  # the same of hands: they leave the picture for a moment, where it matters
STILL = 3 * QUIETEST  # grey levels by which a place has to change to have moved
DARK_LINE = "it is too dark: switch a light on, or turn to the window"
NOBODY = "nobody is seen: sit or stand where the outline is"
CROWN = "the head is cut off: tip the camera up, or step back"
SIDEWAYS = "a shoulder is cut off: move to the middle"
TOO_NEAR = "too near: step back until the hands have room"
TOO_FAR = "very far away: come nearer"
HAND = "a hand left the picture"
NO_MOVE = "nothing moved"


def light_advice(frame: np.ndarray) -> str:
    """What is wrong with the light of a frame, (H, W, 3) uint8 RGB."""
    return DARK_LINE if small_grey(frame, SIDE).mean() < DARK else ""


def place_advice(found: Found) -> str:
    """What is wrong with where the person is."""
    if np.isnan(found.body[NOSE, 0]):
        return NOBODY
    width = found.size[1]
    left, right = sorted(found.body[SHOULDERS, 0])
    if right - left > NEAR * width:
        return TOO_NEAR
    if left < 0 or right > width:
        return SIDEWAYS
    if found.body[NOSE, 1] - ABOVE_NOSE * (right - left) < 0:
        return CROWN
    return TOO_FAR if right - left < FAR * width else ""


def is_hand_outside(found: Found) -> bool:
    """Whether a wrist is beyond the upper edge or a side; below the picture hands may rest."""
    x, y = found.body[WRISTS, 0], found.body[WRISTS, 1]
    return bool(np.any((x < 0) | (x > found.size[1]) | (y < 0)))


class Watch:
    """Looks at a take while it is recorded."""

    def __init__(self):
        self._first, self._moved, self._dark, self._frames = None, 0.0, 0, 0
        self._begun = self._last = 0.0
        self._places: list[str] = []
        self._outside = 0

    def frame(self, frame: np.ndarray, seconds: float) -> None:
        """A frame of the take, (H, W, 3) uint8 RGB, and its time."""
        picture = small_grey(frame, SIDE).astype(np.float32)
        if self._first is None:
            self._first, self._begun = picture, seconds
        self._moved = max(self._moved, float(np.mean(unlit(picture - self._first) > STILL)))
        self._dark += picture.mean() < DARK
        self._frames, self._last = self._frames + 1, seconds

    def points(self, found: Found) -> None:
        """Points of one of the frames."""
        self._places.append(place_advice(found))
        self._outside += is_hand_outside(found)

    def notes(self, rests: bool = False) -> list[str]:
        """What was wrong in a good part of the take, one line each; who `rests` may sit still, or walk about."""
        notes = [DARK_LINE] if self._dark > PART * self._frames else []
        notes += [] if rests else self._missing()
        length = self._last - self._begun
        if length > 0 and (rate := (self._frames - 1) / length) < FEW:
            why = "more light helps most cameras, and so does a less busy machine"
            notes.append(f"only {rate:.1f} pictures a second came; {why}")
        return notes

    def _missing(self) -> list[str]:
        """What a sign needs and this take lacks."""
        places = (NOBODY, TOO_NEAR, SIDEWAYS, CROWN, TOO_FAR)
        notes = [line for line in places if self._places.count(line) > PART * len(self._places)]
        if not notes and self._outside > HANDS * max(1, len(self._places)):
            notes.append(HAND)
        return notes + [NO_MOVE] * (self._moved < MOVED)
