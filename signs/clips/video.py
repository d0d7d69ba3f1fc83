"""Reading video files: frames with their times, and what keeps a file from being a video.

for frame, seconds in iter_video(path): ...
frames, times = read_video(path)
"""

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

from signs.clips.spec import resize_short_side
from signs.command import Problem

import cv2
import numpy as np

# fmt: off
VIDEO_SUFFIXES = (
    ".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".ogv", ".3gp",
)
# fmt: on
FALLBACK_RATE = 10.0  # frames/s for a file that does not say; ChaLearn's


def video_kind(head: bytes) -> str | None:
    """The container that a file's first 4096 bytes begin, by its magic bytes; None where it is none of a video."""
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "AVI"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return "MP4 or MOV"
    if len(head) > 376 and {head[0], head[188], head[376]} == {0x47}:
        return "MPEG transport stream"
    magic = {
        b"\x1aE\xdf\xa3": "Matroska or WebM",
        b"\0\0\x01\xba": "MPEG",
        b"\0\0\x01\xb3": "MPEG",
        b"FLV\x01": "FLV",
        b"OggS": "Ogg",
        b"0&\xb2u": "WMV",
    }
    return magic.get(head[:4])


def video_problem(path: Path) -> str | None:
    """What keeps `path` from being a video, in one line, found without a decoder; None where nothing does."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not head:
        return "an empty file"
    if video_kind(head):
        return None
    if b"\0" not in head and head.isascii():
        start = " ".join(head.decode().split())[:60]
        return f"a text file, not a video; it begins {start!r}; fetch the video it points to"
    return f"no video; it begins with bytes {head[:8].hex(' ')}, and AVI, MP4, MOV, MKV, WebM, MPEG, ... do not"


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV without its own lines about what it tried on the way: the one line that helps is ours."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def open_video(path: Path) -> cv2.VideoCapture:
    """A decoder for `path`; raises Problem where it is no video (told from its first bytes) or cannot be decoded."""
    problem = video_problem(Path(path))
    if problem:
        raise Problem(f"{path}: {problem}")
    with quiet_opencv():
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not video.isOpened():
        raise Problem(f"{path}: a video by its first bytes, but it cannot be decoded; is it whole?")
    return video


def never_closed(path: Path) -> bool:
    """Whether `path` is an AVI without the index that a writer puts behind the frames when it closes the file."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content[:4] == b"RIFF" and content.rfind(b"idx1") < 0 and content.rfind(b"ix00") < 0


def iter_video(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Yield ((H, W, 3) uint8 RGB, seconds from the start) for each frame.

    Raises Problem where the file is missing, is no video, has no frames or stops half-way.
    """
    video = open_video(path)
    try:
        rate = video.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1000 else FALLBACK_RATE
        declared, count, last = video.get(cv2.CAP_PROP_FRAME_COUNT), 0, -1.0
        while True:
            decoded, frame = video.read()
            if not decoded:
                break
            # Some AVI files repeat a time stamp or have none: then the frame follows the last one at the file's rate.
            seconds = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            last = seconds if seconds > last else (last + 1 / rate if count else 0.0)
            count += 1
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), last
    finally:
        video.release()
    if count == 0:
        raise Problem(f"{path}: no frame in it can be decoded")
    # Containers may be off by a frame or two, or count to a tenth; a video cut in the middle misses far more.
    if count < declared - max(2, 0.1 * declared):
        raise Problem(f"{path}: stops after {count} of {declared:.0f} frames; get a whole copy")
    if declared <= 0 and never_closed(path):
        raise Problem(f"{path}: stops after {count} frames, its writer was cut off; get a whole copy")


def read_video(path: Path, short_side: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A video's frames (T, H, W, 3) uint8 RGB and times (T,) float64 seconds; raises Problem as `iter_video` does.

    `short_side`: pixels that frames are resized to as they come, so that a long video fits into memory.
    """
    frames, times = [], []
    for image, seconds in iter_video(path):
        frames.append(resize_short_side(image, short_side) if short_side else image)
        times.append(seconds)
    return np.stack(frames), np.array(times)
