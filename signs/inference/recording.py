"""A clip while it is recorded: frames in one at a time, what a bundle stores of them out.

    recording = Recording(stored, regions={"signer"}, length=5.0)
    recording.push(frame, seconds)          for each frame
    clip = recording.finish()

Each frame that the grid keeps is resized, coded and given its flow as soon as it is certain that it is kept. Files,
camera and evaluation all end in the same 8-bit pictures: those that frame.py and opticalflow.py store.

Which frames of a recording are kept, decided while they come.

    grid = Grid(stored, length=5.0)
    for each frame: kept = grid.push(seconds)        numbers of the frames that this one decided on
    kept = grid.finish()                             those that only the end decides

The sum of what it gives is what `StoredSpec.keep` gives of all the times at once. That wants to know where the grid
ends: a rate (`10fps`) and `all` need no end, a number (`40`) needs the recording's length before it is over.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from signs.clips import preprocess, region, storage
from signs.clips.spec import FlowSpec, StoredSpec
from signs.command import Problem
from signs.flow.stream import KeptFlow
from signs.inference.timing import Timings

import numpy as np


@dataclass(frozen=True)
class Recorded:
    """What was kept of a clip.

    images: by modality, (T, H, W, C) uint8 as the archives hold it; flow: (T, H, W, 2) float32 pixels, or None;
    squares: {region: [x, y, side] or None} of `region.find_squares`; numbers: (T,) of the kept frames among those
    pushed.
    """

    images: dict[str, np.ndarray]
    flow: np.ndarray | None
    squares: dict[str, list[float] | None]
    numbers: list[int]


class Recording:
    """regions: of the picture that will be seen; length: seconds from the first frame to the end of the recording,
    where that is known beforehand."""

    def __init__(
        self,
        stored: StoredSpec,
        regions: Iterable[str] = (),
        length: float | None = None,
        timings: Timings | None = None,
    ):
        self.stored, self.timings = stored, timings or Timings()
        self.grid = Grid(stored, length)
        self._regions = set(regions) & set(region.SQUARES)
        self._coder = Coder(stored, self.timings)
        self._frames: dict[int, np.ndarray] = {}  # resized, those that may still be kept
        self._small, self._images, self._fields, self._coded = [], [], [], []
        self.numbers: list[int] = []

    @property
    def newest(self) -> np.ndarray | None:
        """The latest flow field, (H, W, 2) float32 pixels, to be shown."""
        return self._fields[-1] if self._fields else None

    def since(self, number: int, modality: str) -> np.ndarray:
        """What was kept from frame `number` of the kept ones on, (t, H, W, C) uint8."""
        kept = (self._coded if modality == "flow" else self._images)[number:]
        return np.stack(kept) if kept else np.empty((0,), np.uint8)

    def push(self, frame: np.ndarray, seconds: float) -> None:
        """frame (H, W, 3) uint8 RGB, not mirrored; seconds on any clock. One that is not later is left out."""
        if self.grid.times and seconds <= self.grid.times[-1]:
            return  # a camera that sends a frame twice
        number = len(self.grid.times)
        with self.timings.measure("frames"):
            self._frames[number] = self.stored.resize(frame)
        self._keep(self.grid.push(seconds))
        if self.grid.known:  # the one before may be kept yet, and its flow wants the one before that
            self._frames.pop(number - 2, None)

    def finish(self) -> Recorded:
        """What was kept of it all; raises Problem where nothing was pushed."""
        if not self.grid.times:
            raise Problem("no frame came while recording; is the camera still connected?")
        self._keep(self.grid.finish())
        images = {"rgb": np.stack(self._images)}
        if self.stored.flow:
            images["flow"] = np.stack(self._coded)
        flow = np.stack(self._fields) if self.stored.flow else None
        squares = region.find_squares(np.stack(self._small), self._regions) if self._regions else {}
        return Recorded(images, flow, squares, self.numbers)

    def _keep(self, numbers: list[int]) -> None:
        for number in numbers:
            repeated = self.numbers[-1:] == [number]
            self.numbers.append(number)
            if repeated:
                for kept in (self._small, self._images, self._fields, self._coded):
                    kept += kept[-1:]
            else:
                self._keep_frame(number)

    def _keep_frame(self, number: int) -> None:
        frame = self._frames[number]
        image, field, coded = self._coder.code(number, frame, self._frames.get(number - 1))
        self._images.append(image)
        if self._regions:
            self._small.append(frame)
        if self.stored.flow:
            self._fields.append(field)
            self._coded.append(coded)


class Coder:
    """What the archives hold of kept frames, one after the other."""

    def __init__(self, stored: StoredSpec, timings: Timings):
        self.stored, self.timings = stored, timings
        self._flow = KeptFlow(stored.flow) if stored.flow else None

    def code(self, number: int, frame: np.ndarray, before: np.ndarray | None) -> tuple:
        """A kept frame and the video's frame before it, resized -> (picture (H, W, 3) uint8 RGB, flow (H, W, 2) float32
        pixels, its 8 bits), the last two None where the spec has no flow."""
        with self.timings.measure("frames"):
            image = storage.as_stored(frame[None], self.stored.quality)[0]
        if self._flow is None:
            return image, None, None
        with self.timings.measure("flow"):
            from_video = self.stored.flow.flow_from == "video"
            field = self._flow.push(number, frame if from_video else image, before)
            return image, field, code_flow(field, self.stored.flow)


def code_flow(field: np.ndarray, spec: FlowSpec) -> np.ndarray:
    """(H, W, 2) float32 pixels -> the 8 bits that an archive gives back."""
    return storage.as_stored(preprocess.quantise_flow(field, spec.bound)[None], spec.quality)[0]


class Grid:
    """length: seconds from the first frame to the last point of the grid; None where it is the last frame."""

    def __init__(self, stored: StoredSpec, length: float | None = None):
        self.stored, self.length = stored, length
        self.times: list[float] = []
        self._decided = 0  # how many points of the grid have their frame

    @property
    def known(self) -> bool:
        """Whether frames can be decided on before the end."""
        return not self.stored.frames.isdigit() or self.length is not None

    def push(self, seconds: float) -> list[int]:
        """A frame, later than the one before -> the kept frames that are certain now, repeats included."""
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
