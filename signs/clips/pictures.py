"""A folder of pictures as a clip: JPEG or PNG, one a frame, in the order of their numbers.

    with PictureReader(folder, rate=12) as film:
        for frame, seconds in film: ...

It is read as a video file is (video.py), without being encoded again: frames (H, W, 3) uint8 RGB, upright, all as large
as the first; times from 0 on at `rate` frames/s, by the pictures' numbers: where one is missing there is a gap.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from signs.clips.spec import EQUAL
from signs.command import Problem, counted

import cv2
import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png")
NUMBER = re.compile(r"(\d+)(?=\D*$)")  # the last one in a name: `1CM1_4_R_#229_000017` -> 17
LOST = 0.1  # share of the pictures that may be damaged


def is_picture(name: str) -> bool:
    """Whether a file's name is one of a picture; those of systems (`._00001.jpg`) are none."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def picture_files(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers (`2.jpg` before `10.jpg`), else of their names."""
    try:
        names = [path.name for path in folder.iterdir() if is_picture(path.name)]
    except OSError as error:
        raise Problem(f"{folder}: cannot be read ({error.strerror})") from None
    if not names:
        raise Problem(f"{folder}: no picture in it; expected 00001.jpg ... or PNG")
    return [Path(folder, name) for name in sorted(names, key=lambda name: (_number(name), name))]


def _number(name: str) -> int:
    match = NUMBER.search(Path(name).stem)
    return int(match[1]) if match else -1


def picture_times(files: list[Path], rate: float) -> np.ndarray:
    """(T,) seconds of the pictures from the first on: by their numbers if each has its own, else one after another."""
    numbers = np.array([_number(path.name) for path in files])
    steps = np.diff(numbers)
    if numbers[0] < 0 or (len(steps) and (steps.min() < 1 or steps.max() > len(files))):
        numbers = np.arange(len(files))
    return (numbers - numbers[0]) / rate


def pictures_sha256(folder: Path) -> str:
    """SHA-256 of a folder of pictures: of their names and contents in order, hexadecimal."""
    whole = hashlib.sha256()
    for path in picture_files(folder):
        content = path.read_bytes()
        whole.update(f"{path.name} {len(content)}\n".encode("utf-8", "surrogateescape"))
        whole.update(content)
    return whole.hexdigest()


def read_picture(path: Path) -> np.ndarray | None:
    """(H, W, 3) uint8 RGB; None where it cannot be decoded."""
    content = np.fromfile(path, np.uint8)  # OpenCV takes no path with letters of every language on Windows
    return cv2.imdecode(content, cv2.IMREAD_COLOR_RGB) if len(content) else None


class PictureReader:
    """An opened folder of pictures, with what a VideoReader has; start and end in seconds, of an interval."""

    def __init__(self, path: Path, rate: float, start: float | None = None, end: float | None = None):
        self.path, self.notes, self._size = Path(path), [], None
        files = picture_files(self.path)
        times = picture_times(files, rate)
        if start is not None:
            inside = (times >= start - EQUAL) & (times < end - EQUAL)
            files = [each for each, kept in zip(files, inside, strict=True) if kept]
            times = times[inside] - times[inside][:1]
            if not files:
                raise Problem(f"{self.path}: no picture of it from {start:g} to {end:g} s; run the prepare step again")
        self._files, self._times = files, times

    def __enter__(self) -> "PictureReader":
        return self

    def __exit__(self, *error) -> None:
        pass

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        """((H, W, 3) uint8 RGB, seconds from the first picture) of each picture."""
        for image, seconds in self.timed():
            yield self.picture(image), seconds

    def packet_times(self) -> np.ndarray:
        """(T,) seconds of the pictures, none of which is opened."""
        return self._times

    def timed(self) -> Iterator[tuple[np.ndarray, float]]:
        """Each picture as it is, and its seconds; raises Problem where too many cannot be decoded."""
        damaged = 0
        for path, seconds in zip(self._files, self._times.tolist(), strict=True):
            image = read_picture(path)
            if image is None:
                damaged += 1
            else:
                yield image, seconds
        came = len(self._files) - damaged
        if damaged > max(2, LOST * came) or not came:
            raise Problem(f"{self.path}: {counted(damaged, 'picture')} cannot be decoded, {came} can; get a whole copy")
        if damaged:
            self.notes.append(f"{counted(damaged, 'picture')} damaged, {came} came")

    def picture(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 RGB -> the same as large as the first one."""
        self._size = self._size or image.shape[1::-1]
        if image.shape[1::-1] == self._size:
            return image
        if (note := "the size of its pictures changes") not in self.notes:
            self.notes.append(note)
        return cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
