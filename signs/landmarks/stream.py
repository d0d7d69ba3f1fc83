"""Body and hands of one person in frames that come one at a time, from a file or a camera.

    stream = LandmarkStream(models.open_networks())
    body, hands = stream.push(frame, seconds)         (33, 4) and (2, 21, 4) float32
    stream.notes                                      what is odd, in words for people

The person is looked for in the whole picture once, and from then on near the place of the frame before. Of several
people the one nearer the middle is followed; of two who are equally near, the one who moves. MediaPipe's order of
points: body 0 nose, 11 and 12 shoulders, 15 and 16 wrists; hand 0 wrist, 4, 8, 12, 16, 20 the tips of its fingers.
"""

import hashlib
from concurrent.futures import Executor
from dataclasses import dataclass

from signs.clips.spec import LandmarkSpec
from signs.landmarks import models
from signs.landmarks.body import SURE, Body, BodyNetwork
from signs.landmarks.detector import Detector
from signs.landmarks.hand import SURE as HAND_SURE
from signs.landmarks.hand import Hand, HandNetworks
from signs.landmarks.models import Networks
from signs.landmarks.square import Square

import cv2
import numpy as np

VERSION = 1  # of the chain; goes up when its points change
EQUALS = 0.1  # of the picture's width: people whose distances from the middle differ by less are equally near
MOVED = 0.5  # shoulder widths by which the wrists of one moved more than those of the other: she is the signer
UNDECIDED = 3.0  # seconds after which the one nearer the middle is the signer, if neither has moved
FAR_AGAIN = 0.5  # seconds between two searches of a picture, part by part, in which nobody is found
AWAY = 1.0  # shoulder widths: a body that is further from where it was is another's
RARELY = 0.1  # share of the frames: who is found in fewer is no signer
CUT = 40.0  # grey levels by which two pictures in a row differ, in the mean, where a video was cut
SMALL = (32, 24)  # pixels in which pictures are compared


def landmark_spec(rate: int = 30) -> LandmarkSpec:
    """How points are found now, in up to `rate` frames a second: what clip.json and bundle.json say of them."""
    known = " ".join(source.sha256 for source in models.SOURCES.values())
    return LandmarkSpec(VERSION, hashlib.sha256(known.encode()).hexdigest()[:16], rate)


@dataclass(eq=False)  # two are one where they are the same object
class Follower:
    """One person who is followed. moved: how far the wrists went so far, in shoulder widths."""

    body: Body
    moved: float = 0.0

    @property
    def middle(self) -> np.ndarray:
        """(2,) pixels: between the shoulders."""
        return self.body.points[11:13, :2].mean(axis=0)

    @property
    def width(self) -> float:
        """Pixels from hip to shoulder or from shoulder to shoulder: what is longer whichever way somebody stands."""
        left, right = self.body.points[11:13, :2]
        trunk = self.body.points[23:25, :2].mean(axis=0) - self.middle
        return max(float(np.hypot(*(left - right))), 0.6 * float(np.hypot(*trunk)), 1.0)

    def go_on(self, body: Body) -> None:
        ways = (body.points[15:17, :2] - self.body.points[15:17, :2]) - (
            body.points[11:13, :2].mean(axis=0) - self.middle
        )
        self.moved += float(np.hypot(*ways.T).max()) / self.width
        self.body = body


class LandmarkStream:
    """Follows one person; `notes` say what was odd so far, one line each.

    beside: a thread that looks at one hand while the caller's looks at the other; the points are the same.
    """

    def __init__(self, networks: Networks, beside: Executor | None = None):
        self._detector, self._body = Detector(networks.detector), BodyNetwork(networks.body)
        self._hands, self._beside = HandNetworks(networks.recrop, networks.hand), beside
        self._people: list[Follower] = []  # the one who is followed first
        self._begun = 0.0  # seconds at which they were found
        self._last: Follower | None = None  # who was followed before nobody was
        self._looked = -np.inf  # seconds of the last search part by part
        self._small = None  # the frame before, to tell a cut
        self._before = [None, None]  # hands in the frame before
        self._notes: list[str] = []
        self._frames, self._seen = 0, 0  # so far, and those of them with a person

    @property
    def notes(self) -> list[str]:
        """What was odd so far, in words for people."""
        if self._seen > RARELY * self._frames or not self._frames:
            return [*self._notes]
        seen = f"somebody is found in {self._seen} of {self._frames} frames" if self._seen else "nobody is found"
        return [*self._notes, seen]

    def push(self, frame: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """The points in a frame, (H, W, 3) uint8 RGB, upright and not mirrored.

        Returns: body (33, 4) and hands (2, 21, 4) float32. x, y: pixels of the frame; z: the same unit, from hips or
            wrist; last: visibility of a body's point, presence of the hand. Hand 0 is the person's left. NaN where not
            seen.
        """
        if self._is_cut(frame):
            self._note("the picture changes at once, as at a cut")
            self._people = []
        if not self._follow(frame, seconds):
            self._search(frame, seconds)
        body = np.full((33, 4), np.nan, np.float32)
        hands = np.full((2, 21, 4), np.nan, np.float32)
        if self._people:
            body[:] = self._people[0].body.points
        self._frames, self._seen = self._frames + 1, self._seen + bool(self._people)
        for side, hand in enumerate(self._both_hands(frame, body)):
            self._before[side] = hand if hand and hand.presence >= HAND_SURE else None
            if self._before[side]:
                hands[side] = np.column_stack([hand.points, np.full(21, hand.presence, np.float32)])
        return body, hands

    def _both_hands(self, frame: np.ndarray, body: np.ndarray) -> list[Hand | None]:
        """The left hand, then the right one."""
        jobs = [(frame, body, side, self._before[side]) for side in (0, 1)]
        if self._beside is None:
            return [self._hands.look(*job) for job in jobs]
        left = self._beside.submit(self._hands.look, *jobs[0])
        right = self._hands.look(*jobs[1])
        return [left.result(), right]

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)

    def _is_cut(self, frame: np.ndarray) -> bool:
        small = cv2.cvtColor(cv2.resize(frame, SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        before, self._small = self._small, small
        return before is not None and float(cv2.absdiff(before, small).mean()) > CUT

    def _follow(self, frame: np.ndarray, seconds: float) -> bool:
        """Those who are followed, where they were; whether the first of them is still there."""
        still = []
        for person in self._people:
            body = self._body.look(frame, person.body.square)
            if body.presence < SURE:
                continue
            if is_away(person, body):
                self._note("the person who is followed jumps, as at a cut")
                continue
            person.go_on(body)
            still.append(person)
        lost = bool(self._people) and self._people[0] not in still
        if lost:
            self._last, self._before = self._people[0], [None, None]
        self._people = [] if lost else still
        self._decide(seconds)
        return bool(self._people)

    def _decide(self, seconds: float) -> None:
        """Of two who are equally near the middle: who signs?"""
        if len(self._people) < 2:
            return
        first, mover = self._people[0], max(self._people, key=lambda person: person.moved)
        others = max(person.moved for person in self._people if person is not mover)
        if mover.moved > others + MOVED:
            if mover is not first:
                self._before = [None, None]
            self._people = [mover]
        elif seconds - self._begun > UNDECIDED:
            self._people = [first]

    def _search(self, frame: np.ndarray, seconds: float) -> None:
        """Look for people: in the whole picture, near the last place, then part by part."""
        self._before = [None, None]
        people = self._bodies(frame, self._detector.find(frame))
        if not people and self._last:
            people = self._bodies(frame, self._detector.find(frame, near(self._last)))
        if not people and seconds - self._looked >= FAR_AGAIN:
            self._looked = seconds
            people = self._bodies(frame, self._detector.find_far(frame))
        if not people:
            return
        middle = frame.shape[1] / 2
        people.sort(key=lambda person: abs(person.middle[0] - middle))
        if len(people) > 1:
            self._note("several people; the one nearer the middle is followed, of equals the one who moves")
        nearest = abs(people[0].middle[0] - middle)
        self._people = [
            person for person in people if abs(person.middle[0] - middle) < nearest + EQUALS * frame.shape[1]
        ]
        if self._last and is_away(self._last, self._people[0].body):
            self._note("somebody is lost, and followed again elsewhere, or another person is")
        self._begun, self._last = seconds, None

    def _bodies(self, frame: np.ndarray, people: list) -> list[Follower]:
        """The bodies at the places that the detector names, each once."""
        found = []
        for person in people:
            body = self._body.look(frame, person.square)
            if body.presence >= SURE and all(is_away(other, body) for other in found):
                found.append(Follower(body))
        return found


def is_away(person: Follower, body: Body) -> bool:
    """Whether a body is elsewhere than the person was in the frame before."""
    return float(np.hypot(*(body.points[11:13, :2].mean(axis=0) - person.middle))) > AWAY * person.width


def near(person: Follower) -> Square:
    """The part of the picture round where somebody was."""
    square = person.body.square
    return Square(square.x, square.y, 2 * square.size)
