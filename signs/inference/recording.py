"""A clip while it is recorded: frames in one at a time, what a bundle stores of them out.

    recording = Recording(stored, regions={"signer"}, length=5.0)
    recording.push(frame, seconds)          for each frame
    clip = recording.finish()

`Grid` decides while frames come which of them are kept; all in all those that `StoredSpec.keep` keeps of all times at
once. It has to know where the grid ends: a rate (`10fps`) and `all` need no end, a number (`40`) needs the recording's
length before it is over. Each kept frame is resized, coded and given its flow as soon as it is certain. Files, camera
and evaluation all end in the same 8-bit pictures: those that frame.py and opticalflow.py store.
"""

import functools
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from signs.clips import preprocess, region, storage
from signs.clips.hand_track import hand_squares
from signs.clips.points import PointRecorder, Points
from signs.clips.spec import HANDS, FlowSpec, StoredSpec
from signs.command import Problem
from signs.flow.stream import KeptFlow
from signs.inference.timing import Timings
from signs.landmarks import models
from signs.landmarks.stream import LandmarkStream, landmark_spec

import numpy as np


@dataclass(frozen=True)
class Recorded:
    """What was kept of a clip.

    images: by modality, (T, H, W, C) uint8 as the archives hold it, and Points of landmarks; flow: (T, H, W, 2) float32
    pixels, or None; squares: {region: [x, y, side] or None} of `region.find_squares`, and of `hand_squares`; numbers:
    (T,) of the kept frames among those pushed.
    """

    images: dict[str, np.ndarray]
    flow: np.ndarray | None
    squares: dict
    numbers: list[int]


@dataclass(frozen=True)
class Kept:
    """A kept frame: its number among those pushed and its time, resized, and as the archives hold it.

    small, image: (H, W, 3) uint8 RGB; field: (H, W, 2) float32 pixels, coded: its 8 bits, both None without flow.
    """

    number: int
    seconds: float
    small: np.ndarray
    image: np.ndarray
    field: np.ndarray | None
    coded: np.ndarray | None


class Chosen(NamedTuple):
    """A frame that will be kept: its number, its time, itself and the video's frame before it, resized."""

    number: int
    seconds: float
    frame: np.ndarray
    before: np.ndarray | None


class Look(NamedTuple):
    """A frame in which points are looked for, as large as it came, and its time; or its points, which another thread
    looks for: a future of Found."""

    frame: np.ndarray | None
    seconds: float
    found: Future | None = None


def point_stream(stored: StoredSpec) -> LandmarkStream | None:
    """What finds points in frames; None where a bundle sees none. Raises Problem without the networks for them."""
    if not stored.landmark:
        return None
    if stored.landmark != landmark_spec(stored.landmark.rate):
        raise Problem(
            "this model was trained on points that another version found (chain {0.chain}, networks {0.networks}; here "
            "chain {1.chain}, networks {1.networks}); run landmark.py and train it again".format(
                stored.landmark, landmark_spec()
            )
        )
    return LandmarkStream(models.networks_here(), hand_thread())


@functools.lru_cache(1)
def hand_thread() -> ThreadPoolExecutor:
    """Where all streams of this process look at a left hand."""
    return ThreadPoolExecutor(1, thread_name_prefix="hand")


def point_recorder(stored: StoredSpec, given: bool = False) -> PointRecorder | None:
    """What collects a clip's points, which are found here or `given`; None where a bundle sees none."""
    stream = None if given else point_stream(stored)
    return PointRecorder(stream and stream.push, stored.landmark.rate) if stored.landmark else None


def images_of(kept: list[Kept]) -> dict[str, np.ndarray]:
    """{modality: (T, H, W, C) uint8} of kept frames, at least one, as the archives hold them."""
    images = {"rgb": np.stack([frame.image for frame in kept])}
    if kept[0].coded is not None:
        images["flow"] = np.stack([frame.coded for frame in kept])
    return images


def clip_of(kept: list[Kept], regions: set[str], points: Points | None = None, first: float = 0.0) -> Recorded:
    """Kept frames, at least one, as a clip of which these regions are seen; `points` of it, whose time 0 is `first`."""
    flow = None if kept[0].field is None else np.stack([frame.field for frame in kept])
    found, images = set(regions) & set(region.SQUARES), images_of(kept)
    squares = region.find_squares(np.stack([frame.small for frame in kept]), found) if found else {}
    if points is not None:
        images["landmark"] = points
        if HANDS in regions:
            times = np.array([frame.seconds for frame in kept]) - first
            squares[HANDS] = hand_squares(points, times, min(kept[0].small.shape[:2]))
    return Recorded(images, flow, squares, [frame.number for frame in kept])


class Recording:
    """regions: of the picture that will be seen; length: seconds from the first frame to the end of the recording,
    where that is known beforehand; given: points come with the frames, and none are looked for here."""

    def __init__(
        self, stored: StoredSpec, regions: Iterable[str] = (), length: float | None = None, given: bool = False
    ):
        self.stored, self.timings = stored, Timings()
        self.grid = Grid(stored, length)
        self._regions = set(regions)
        self._coder = Coder(stored, self.timings)
        self._frames: dict[int, np.ndarray] = {}  # resized, those that may still be kept
        self._points, self._look_here = point_recorder(stored, given), not given
        self.kept: list[Kept] = []
        self._given = 0  # kept frames that `fresh` has had

    @property
    def newest(self) -> np.ndarray | None:
        """The latest flow field, (H, W, 2) float32 pixels."""
        return self.kept[-1].field if self.kept else None

    def fresh(self) -> dict[str, np.ndarray]:
        """{modality: (t, H, W, C) uint8} of the frames kept since the last time; empty where there are none."""
        kept, self._given = self.kept[self._given :], len(self.kept)
        return images_of(kept) if kept else {}

    def push(self, frame: np.ndarray, seconds: float) -> None:
        """Take a frame, (H, W, 3) uint8 RGB, not mirrored, unless it is no later; seconds on any clock."""
        self.code(self.choose(frame, seconds))

    def choose(self, frame: np.ndarray, seconds: float, found: Future | None = None) -> list[Chosen | Look]:
        """The quick half of `push`: the frames that are certain to be kept now, and the one that is to be looked at.

        found: the frame's points, of a recording that does not look for them; None of a frame that has none.
        `code` takes them, maybe in another thread: what waits for it is what is kept, as large as it is stored.
        """
        if self.grid.times and seconds <= self.grid.times[-1]:
            return []  # a camera that sends a frame twice
        number = len(self.grid.times)
        with self.timings.measure("frames"):
            self._frames[number] = self.stored.resize(frame)
        chosen = self._chosen(self.grid.push(seconds))
        if self.grid.known:  # the frame before may still be kept, and its flow needs the one before that
            self._frames.pop(number - 2, None)
        if found and self._points:
            chosen.append(Look(None, seconds, found))
        elif self._points and self._look_here and self._points.takes(seconds):
            chosen.append(Look(frame, seconds))
        return chosen

    def code(self, chosen: list[Chosen | Look]) -> None:
        """The other half of `push`: kept frames are coded and get their flow, points are found."""
        for frame in chosen:
            if isinstance(frame, Chosen):
                self.kept.append(self._coder.code(*frame))
            elif frame.found:
                self._points.add(frame.found.result(), frame.seconds)
            else:
                with self.timings.measure("landmarks"):
                    self._points.look(frame.frame, frame.seconds)

    def finish(self, points: Points | None = None) -> Recorded:
        """What was kept of all frames; raises Problem where none was pushed. points: of all of it, where they were
        found elsewhere."""
        if not self.grid.times:
            raise Problem("no frame came while recording; is the camera still connected?")
        self.code(self._chosen(self.grid.finish()))
        if self._points:
            points = self._points.points()
        return clip_of(self.kept, self._regions, points, self.grid.times[0])

    def _chosen(self, numbers: list[int]) -> list[Chosen]:
        frames, times = self._frames, self.grid.times
        return [Chosen(number, times[number], frames[number], frames.get(number - 1)) for number in numbers]


class Coder:
    """Kept frames, one after the other, as the archives hold them."""

    def __init__(self, stored: StoredSpec, timings: Timings):
        self.stored, self.timings = stored, timings
        self._flow = KeptFlow(stored.flow) if stored.flow else None
        self._last: Kept | None = None

    def code(self, number: int, seconds: float, frame: np.ndarray, before: np.ndarray | None) -> Kept:
        """A frame of this number and time and the video's frame before it, resized -> what is kept of it."""
        if self._last and self._last.number == number:
            return self._last  # a slow camera: the frame again, with its field
        field = coded = None
        with self.timings.measure("frames"):
            image = storage.as_stored(frame[None], self.stored.quality)[0]
        if self._flow:
            with self.timings.measure("flow"):
                from_video = self.stored.flow.flow_from == "video"
                field = self._flow.push(number, frame if from_video else image, before)
                coded = code_flow(field, self.stored.flow)
        self._last = Kept(number, seconds, frame, image, field, coded)
        return self._last


def code_flow(field: np.ndarray, spec: FlowSpec) -> np.ndarray:
    """(H, W, 2) float32 pixels -> the 8 bits that an archive gives back."""
    return storage.as_stored(preprocess.quantise_flow(field, spec.bound)[None], spec.quality)[0]


class Grid:
    """Which frames are kept, decided while they come.

        grid = Grid(stored, length=5.0)
        for each frame: kept = grid.push(seconds)        numbers of the frames that are certain now
        kept = grid.finish()                             those that only the end decides

    length: seconds from the first frame to the last point of the grid; None where it is the last frame.
    """

    def __init__(self, stored: StoredSpec, length: float | None = None):
        self.stored, self.length = stored, length
        self.times: list[float] = []
        self._decided = 0  # how many points of the grid have their frame

    @property
    def known(self) -> bool:
        """Whether frames can be decided on before the end."""
        return not self.stored.frames.isdigit() or self.length is not None

    def push(self, seconds: float) -> list[int]:
        """A frame, later than the one before -> numbers of the kept frames that are certain now, with repeats."""
        self.times.append(seconds)
        if not self.known:
            return []
        if self.stored.frames == "all":
            return [len(self.times) - 1]
        return self._decide(seconds)

    def finish(self) -> list[int]:
        """The kept frames that were not certain; raises ValueError where no frame came."""
        if not self.times:
            raise ValueError("no frame was pushed")
        if self.stored.frames == "all":
            return []
        return self._decide(np.inf)

    def _decide(self, seconds: float) -> list[int]:
        """Frames of the points up to `seconds`: no later frame is nearer to them than the last two."""
        last = self.times[0] + self.length if self.length is not None else self.times[-1]
        points = self.stored.points(self.times[0], last)
        ready = points[self._decided : np.searchsorted(points, seconds, side="right")]
        self._decided += len(ready)
        return self.stored.nearest(np.asarray(self.times), ready).tolist()
