"""What a clip is read from: a video file or a folder of pictures, all of it or an interval.

footage = Footage(path, start=12.3, end=13.8)
with footage.opened() as film: ...                          frames and times, as VideoReader has them
frames, times, notes = read_kept(footage, stored)           only those that a store keeps
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.clips import cached_copy
from signs.clips.dataset import Clip
from signs.clips.pictures import PictureReader, picture_files, pictures_sha256
from signs.clips.spec import StoredSpec, resize_short_side
from signs.clips.video import MOST_THREADS, VideoReader

import cv2
import numpy as np

BLACK = 24  # grey levels up to which a picture is black
# Grey levels by which coded stills, shown in 30 rows, differ in all and from one to the next; real clips reach 6 and 3.
ROWS, DRIFT, STEP = 30, 5, 2


@dataclass(frozen=True)
class Footage:
    """A video file, or a folder of pictures at `rate` frames/s; start and end in seconds, where it is an interval."""

    path: Path
    start: float | None = None
    end: float | None = None
    rate: float | None = None

    def opened(self, threads: int = MOST_THREADS) -> VideoReader | PictureReader:
        """A reader of it, to be used by `with`; raises Problem where it is none."""
        if self.rate:
            return PictureReader(self.path, self.rate, self.start, self.end)
        return VideoReader(self.path, threads, self.start, self.end)

    def stamp(self) -> tuple[int, ...]:
        """Sizes and times of the file or pictures: equal while nobody writes to them."""
        about = [path.stat() for path in (picture_files(self.path) if self.rate else [self.path])]
        return len(about), sum(each.st_size for each in about), sum(each.st_mtime_ns for each in about)

    def sha256(self) -> str:
        """Of all of the file or folder, hexadecimal."""
        return pictures_sha256(self.path) if self.rate else command.sha256(self.path)


def size_of(path: Path) -> int:
    """Bytes of a video, of an archive, or of a folder of pictures."""
    if isinstance(path, cached_copy.StandIn):
        return cached_copy.size(path)
    if path.is_dir():
        return sum(each.stat().st_size for each in picture_files(path))
    return path.stat().st_size


def footage_of(item: Clip, folder: Path, part: str = "video") -> Footage:
    """What a part of a data set's clip is read from."""
    return Footage(item.video(folder, part), item.start, item.end, item.rate)


def read_kept(
    source: Path | Footage,
    stored: StoredSpec,
    threads: int = MOST_THREADS,
    each: Callable[[np.ndarray, float], None] | None = None,
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The frames that a store needs, (T, H, W, 3) uint8 RGB as large as they are stored, their times (T,) float64
    seconds, and notes: `stored.keep(times)` keeps of them what it keeps of all of the frames.

    No other frame is held, so memory does not grow with the length. `each` is called with every frame, as large as it
    is, and its seconds. Raises Problem where the source cannot be read.
    """
    footage = source if isinstance(source, Footage) else Footage(source)
    with footage.opened(threads) as film:
        needed = stored.needed(film.packet_times())
    while True:
        times, pictures = [], {}
        with footage.opened(threads) as film:
            for number, (frame, seconds) in enumerate(film.timed()):
                times.append(seconds)
                picture = film.picture(frame) if each or number in needed else None
                if each:
                    each(picture, seconds)
                if number in needed:
                    pictures[number] = stored.resize(picture)
        each = None
        needed = stored.needed(np.array(times))
        if needed <= pictures.keys():  # else the packets' times were not the frames': once more, with the true ones
            chosen = sorted(needed)
            frames = np.stack([pictures[number] for number in chosen])
            single = ["one frame only, no film"] if len(times) == 1 else []
            return frames, np.array(times)[chosen], [*film.notes, *single, *picture_notes(frames)]


def picture_notes(frames: np.ndarray) -> list[str]:
    """What is odd about the frames of a clip, (T, H, W, 3) uint8 RGB, one line each."""
    if frames.max() <= BLACK:
        return ["all of it is black"]
    small = [resize_short_side(frame, ROWS) for frame in frames]
    steps = [cv2.norm(before, after, cv2.NORM_INF) for before, after in itertools.pairwise(small)]
    drift = max(cv2.norm(small[0], frame, cv2.NORM_INF) for frame in small)
    return ["one picture from start to end"] if steps and drift <= DRIFT and np.median(steps) <= STEP else []
