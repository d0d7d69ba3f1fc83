"""The pictures of an interval of a ChaLearn 2014 recording, whole and with the signer cut out; imported, never run.

    videos = [cutout.Video(files, kind) for kind in ("color", "depth", "user")]
    for interval, read in cutout.side_by_side(videos, intervals):
        pictures = cutout.Pictures(interval, videos, read, joints, farthest)
        cutout.write_video(path, pictures.part("hand"), rate)

Clips are written as FFV1 in AVI: without loss, as small steps of depth would suffer most, and by the FFmpeg that comes
with OpenCV, which reading them needs anyway. It takes no quality for Motion JPEG, and OpenCV's own writer of that
garbles grey pictures (5.0).
"""

import errno
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import command
from command import Problem

import cv2
import numpy as np

import frame
import kinect
import region
from montalbano import Files, Interval

# Each part: the recording's video that it shows, and which square of it.
SHOWS = {
    "video": ("color", None), "depth": ("depth", None),
    "upper": ("color", "upper"), "hand": ("color", "hand"),
    "upper_depth": ("depth", "upper"), "hand_depth": ("depth", "hand"),
}  # fmt: skip
CROP = 128  # pixels of a side; the square of a hand is about 100 wide in the 640x480 of the recordings
FARTHEST = 4095.0  # mm that 255 stands for in the depth written; the most that Kinect's 12 bits say
CODEC = "FFV1"


class Video:
    """The pictures of a recording's video, (H, W, 3) or (H, W) uint8; what ends them early is kept as `problem`."""

    def __init__(self, files: Files, kind: str):
        self.files, self.kind = files, kind
        self.problem = ""

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            for picture, _ in frame.video_frames(self.files.video(self.kind)):
                yield picture if self.kind == "color" else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        except Problem as problem:
            self.problem = str(problem).removeprefix(f"{self.files.work}/")


def side_by_side(videos: list[Video], intervals: list[Interval]) -> Iterator[tuple[Interval, dict[str, list]]]:
    """Read videos in step; yield each interval, once it is over, with the pictures of every video, None where it ended.

    An interval that all videos end before has fewer pictures than its length.
    """
    held: dict[Interval, list[tuple]] = {interval: [] for interval in intervals}
    for number, pictures in enumerate(itertools.zip_longest(*videos), 1):
        for interval in list(held):
            if interval.first <= number <= interval.last:
                held[interval].append(pictures)
            if number == interval.last:
                yield interval, _by_kind(videos, held.pop(interval))
        if not held:
            return
    for interval, rows in held.items():
        yield interval, _by_kind(videos, rows)


def _by_kind(videos: list[Video], rows: list[tuple]) -> dict[str, list]:
    return {video.kind: [row[index] for row in rows] for index, video in enumerate(videos)}


class Pictures:
    """What the parts of one clip show; raises Problem where a video, the mask or the skeleton falls short."""

    def __init__(self, interval: Interval, videos: list[Video], read: dict[str, list], joints, farthest: float):
        self.interval, self.read, self.joints = interval, read, joints
        self.videos = {video.kind: video for video in videos}
        self.depth_scale = (np.arange(256) * farthest / FARTHEST).clip(0, 255).round().astype(np.uint8)

    def whole(self, kind: str) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB or (T, H, W) uint8; depth on the common scale."""
        pictures = self.read[kind]
        if len(pictures) < len(self.interval) or pictures[-1] is None:
            raise Problem(self.videos[kind].problem or f"the {kind} video ends before frame {self.interval.last}")
        whole = np.stack(pictures)
        return self.depth_scale[whole] if kind == "depth" else whole

    @functools.cached_property
    def squares(self) -> dict[str, np.ndarray]:
        """(T, 3) each: where upper body and higher hand are."""
        if isinstance(self.joints, Problem):
            raise self.joints
        if len(self.joints) < self.interval.last:
            raise Problem(f"the skeleton ends at frame {len(self.joints)}, before frame {self.interval.last}")
        joints = self.joints[self.interval.first - 1 : self.interval.last]
        return dict(zip(("upper", "hand"), kinect.squares(joints), strict=True))

    @functools.cached_property
    def masks(self) -> np.ndarray:
        """(T, H, W) bool: where the signer is."""
        return kinect.user_masks(self.whole("user"))

    def part(self, part: str) -> np.ndarray:
        """A part's pictures, whole, or the signer alone on black within a square."""
        kind, square = SHOWS[part]
        whole = self.whole(kind)
        if square is None:
            return whole
        if self.masks.shape != whole.shape[:3]:
            sizes = " and ".join(f"{width}x{height}" for height, width in (whole.shape[1:3], self.masks.shape[1:]))
            raise Problem(f"{kind} and user mask are {sizes}; expected one size")
        alone = whole * (self.masks[..., None] if whole.ndim == 4 else self.masks)
        return np.concatenate([region.cut(one[None], at, CROP)
                               for one, at in zip(alone, self.squares[square].tolist(), strict=True)])  # fmt: skip


def write_video(path: Path, pictures: np.ndarray, rate: float) -> None:
    """(T, H, W, 3) uint8 RGB or (T, H, W) uint8 -> an AVI without loss, whole or not at all."""
    colour = pictures.ndim == 4
    with command.atomic(path) as temporary:
        size = (pictures.shape[2], pictures.shape[1])
        fourcc = cv2.VideoWriter_fourcc(*CODEC)
        writer = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, fourcc, rate, size, colour)
        if not writer.isOpened():
            raise Problem(f"OpenCV writes no {CODEC} here; install opencv-python from its wheel, which does")
        for picture in pictures:
            writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if colour else picture)
        writer.release()
        # The writer says nothing of a disc that is full; what it puts last is missing then.
        if frame.never_closed(temporary):
            raise OSError(errno.ENOSPC, "could not be written whole", str(path))
