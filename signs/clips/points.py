"""A clip's points as they are stored: one zip a clip, which NumPy reads too.

    write_points(path, points, info)
    points = read_points(path)              points.body, points.hands, points.times

    landmark-30fps/<split>/<label>/<clip>.zip      clip.json, body.npy, hands.npy

clip.json is what it is in every store (signs/clips/storage.py): source and its hash, the times of the frames, every
parameter of the step, notes; and the size of the frames that the points' pixels are of.
"""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from signs.clips import cached_copy, storage
from signs.clips.spec import LandmarkSpec
from signs.command import Problem

import numpy as np

LATE = 8  # frames that may wait to be looked at
HEADER = re.compile(rb"\{'descr': '(?P<type>[<>|]\w+)', 'fortran_order': False, 'shape': \((?P<shape>[\d, ]*)\), \}")
SHAPES = {"body": (33, 4), "hands": (2, 21, 4)}  # of a frame


@dataclass(frozen=True)
class Points:
    """body: (T, 33, 4), hands: (T, 2, 21, 4) float32, as `LandmarkStream.push` gives them, NaN where not seen; times:
    (T,) float64 seconds; size: (height, width) of the frames."""

    body: np.ndarray
    hands: np.ndarray
    times: np.ndarray
    size: tuple[int, int]


class Found(NamedTuple):
    """The points of one frame: body (33, 4) and hands (2, 21, 4) float32; size: its (height, width)."""

    body: np.ndarray
    hands: np.ndarray
    size: tuple[int, int]


def write_points(path: Path, points: Points, info: dict) -> None:
    """Write a clip's points, whole or not at all; equal arguments give equal bytes."""
    about = {"times": [round(float(seconds), 6) for seconds in points.times], "size": list(points.size)}
    members = {f"{name}.npy": _npy(getattr(points, name)) for name in SHAPES}
    storage.write_members(path, members, {**info, **about})


def _npy(array: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(array, np.float32), allow_pickle=False)
    return content.getvalue()


def _array(content: bytes) -> np.ndarray:
    """What `_npy` wrote. np.load reads it with Python's own parser, which fails now and then in a thread of 3.11
    ("recursion depth mismatch") while another one parses: TensorFlow does, for seconds, when a training begins."""
    file = io.BytesIO(content)
    wide = 2 if np.lib.format.read_magic(file) == (1, 0) else 4
    header = HEADER.fullmatch(file.read(int.from_bytes(file.read(wide), "little")).strip())
    if not header:
        raise ValueError("not an array as NumPy writes it")
    shape = [int(side) for side in header["shape"].split(b",") if side.strip()]
    return np.frombuffer(content, header["type"].decode(), offset=file.tell()).reshape(shape).copy()


def read_points(path: Path, stored: LandmarkSpec | None = None) -> Points:
    """Read what write_points wrote; raises Problem where it is missing, damaged, or not found as `stored` says."""
    again = "delete it and run landmark.py again"
    if not cached_copy.exists(path):
        raise Problem(f"{path}: no such clip; run landmark.py first")
    with cached_copy.held(path), storage.damage_named(path), zipfile.ZipFile(path) as archive:
        info = storage.parse_info(archive.read("clip.json"))
        arrays = {name: _array(archive.read(f"{name}.npy")) for name in SHAPES}
        times, size = np.array(info["times"], np.float64), tuple(map(int, info["size"]))
    if stored and info.get("stored") != stored.to_json():
        raise Problem(f"{path}: its points were found otherwise than the others'; run landmark.py again")
    for name, shape in SHAPES.items():
        array = arrays[name]
        if array.shape != (len(times), *shape) or not len(times) or len(size) != 2:
            raise Problem(f"{path}: {name} of {array.shape}, expected {(len(times), *shape)}; {again}")
        if array.dtype != np.float32 or np.isinf(array).any():
            raise Problem(f"{path}: {name} of {array.dtype} or infinite, expected float32 numbers; {again}")
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise Problem(f"{path}: times that do not rise; {again}")
    return Points(**arrays, times=times, size=size)


class Pace:
    """Which of the frames that come are looked at: at most `rate` a second, from the first on."""

    def __init__(self, rate: int):
        self._rate, self._first, self._last = rate, None, -1

    def since(self, seconds: float) -> float:
        """Seconds from the first frame that came, on any clock."""
        self._first = seconds if self._first is None else self._first
        return seconds - self._first

    def takes(self, seconds: float) -> bool:
        """Whether the frame at `seconds` is looked at; they rise."""
        # One that comes a little early counts as in time; not by a quarter, where frames of 40 or 120 a second are.
        number = int(self.since(seconds) * self._rate + 0.24)
        takes, self._last = number > self._last, max(number, self._last)
        return takes


class PointRecorder:
    """The points of a clip whose frames come one at a time, of at most `rate` of them a second.

    push: `LandmarkStream.push`; None where points that were found elsewhere are added. Frames may wait between `takes`
    and `look`, but not many: they are as large as they came, so where LATE of them wait the next ones are left out.
    """

    def __init__(self, push: Callable | None, rate: int):
        self._push, self._pace, self._waiting = push, Pace(rate), 0
        self._rows, self._times, self._size = [], [], (0, 0)

    def takes(self, seconds: float) -> bool:
        """Whether the frame at `seconds` is to be looked at; they rise, on any clock."""
        takes = self._pace.takes(seconds) and self._waiting < LATE
        self._waiting += takes
        return takes

    def look(self, frame: np.ndarray, seconds: float) -> None:
        """A frame that was taken, (H, W, 3) uint8 RGB."""
        self.add(Found(*self._push(frame, self._pace.since(seconds)), frame.shape[:2]), seconds)
        self._waiting -= 1

    def add(self, found: Found, seconds: float) -> None:
        """The points of a frame at `seconds`."""
        self._rows.append(found[:2])
        self._times.append(self._pace.since(seconds))
        self._size = found.size

    def push(self, frame: np.ndarray, seconds: float) -> None:
        """`look` at a frame if it is taken."""
        if self.takes(seconds):
            self.look(frame, seconds)

    def points(self) -> Points:
        """Those of all frames so far; times from 0. Raises Problem where no frame was looked at."""
        if not self._rows:
            raise Problem("points of body and hands were looked for in no frame; is the camera still connected?")
        body, hands = (np.stack(part) for part in zip(*self._rows, strict=True))
        return Points(body, hands, np.array(self._times), self._size)
