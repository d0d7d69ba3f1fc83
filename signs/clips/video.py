"""Reading video files with FFmpeg (PyAV): frames with their times, as a player shows them.

    for frame, seconds in iter_video(path): ...
    frames, times = read_video(path)

An interval of a file is read from the key frame before it on, where the container has an index (SEEKABLE), else from
the beginning; its frames are those of the whole file, their times begin at 0 again.

Frames stand upright, their pixels are square, interlaced ones are deinterlaced (FFmpeg's yadif), and colours follow the
stream's matrix and range. Times are the file's own; the first frame is at 0. Equal files give equal bytes within one
version of FFmpeg. Notes name what is odd about a video that is read all the same.
"""

import contextlib
import math
import os
from collections.abc import Iterator
from pathlib import Path

from signs.clips.clock import Clock
from signs.clips.container import DEMUXERS, look_into
from signs.clips.filters import deinterlaced, rgb
from signs.clips.spec import EQUAL, resize_short_side
from signs.command import Problem, counted

import av
import cv2
import numpy as np

FALLBACK_RATE = 10.0  # frames/s for a file that does not say; ChaLearn's
READER = {"signs": 2, "ffmpeg": av.ffmpeg_version_info}  # what made an archive; the 2 goes up when frames change
MOST_THREADS = 4  # each holds pictures of its own, and 4K pictures are large
HDR = {16: "PQ", 18: "HLG"}  # transfer characteristics of ITU-T H.273
# FFmpeg's numbers of the order of fields that a container tells, as yadif calls it.
PARITIES = {2: "tff", 3: "bff", 4: "tff", 5: "bff"}
# Codecs whose every frame says whether it is interlaced; what a container says of them is often wrong.
TELLING = {"h264", "hevc", "mpeg2video", "mpeg4", "vc1", "wmv3", "dvvideo", "dnxhd", "prores", "ffv1", "vvc", "cavs"}
PARTS_WRAP = 0x200  # FFmpeg's flag of containers whose times may jump where parts were joined
JUMP_ON = 10.0  # seconds: a longer gap there is a join
ONLY_SOUND = "no video in it, only sound"
LOST = 0.1  # share of the frames that may be damaged
SEEKABLE = ("MP4 or MOV", "Matroska or WebM", "AVI")  # containers whose times tell where a frame is


class VideoReader:
    """An opened video file: `with VideoReader(path) as video: for frame, seconds in video: ...`, once.

    threads: that decode; 1 where several clips are read at once. start, end: seconds from the file's first frame on, of
    an interval; the frame at `end` is not part of it. `notes` is complete when the last frame was read.
    Raises Problem where the file is missing, is no video, was cut off or cannot be decoded.
    """

    def __init__(self, path: Path, threads: int = MOST_THREADS, start: float | None = None, end: float | None = None):
        self.path, self.notes = path if isinstance(path, Path) else Path(path), []
        self._start, self._end = start, math.inf if end is None else end
        self._size = self._matrix = None  # of the first frame
        self._damaged = 0
        self._kind, problem = look_into(self.path)
        if problem:
            raise self._problem(problem)
        self._is_avi = self._kind == "AVI"
        self._open(threads)
        rate = float(self._stream.guessed_rate or 0)
        self._rate = rate if 0 < rate < 1000 else FALLBACK_RATE
        self._most_on = JUMP_ON if self._container.format.flags & PARTS_WRAP else math.inf
        aspect = float(self._stream.sample_aspect_ratio or 1)
        self._pixel_aspect = aspect if 0.1 < aspect < 10 else 1.0

    def _open(self, threads: int) -> None:
        try:  # `10:30.mp4` alone is a protocol
            self._container = av.open(os.path.abspath(self.path), format=DEMUXERS[self._kind])
        except (av.FFmpegError, OSError):
            raise self._problem("a video by its first bytes, but it cannot be decoded; is it whole?") from None
        self._stream = self._choose_stream()
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = min(threads, os.cpu_count() or 1)

    def _begin(self) -> Clock:
        """The clock of the file's own times, and the file at the key frame before the interval, where it has one."""
        clock = Clock(self._rate, self._most_on)
        if not self._start or self._kind not in SEEKABLE:
            return clock
        origin = next((frame.time for frame in self._decoded()), None)
        threads = self._stream.codec_context.thread_count
        if origin is not None and self._seek(origin + self._start):
            first = next((frame.time for frame in self._decoded()), None)
            if first is not None and first <= origin + self._start + EQUAL and self._seek(origin + self._start):
                return Clock(self._rate, self._most_on, origin)
        self._container.close()  # it leads elsewhere: all of the file is decoded
        self._open(threads)
        return clock

    def _seek(self, seconds: float) -> bool:
        try:
            self._container.seek(math.floor(seconds / self._stream.time_base), stream=self._stream)
        except (av.FFmpegError, OSError):
            return False
        return True

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *error) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[tuple[np.ndarray, float]]:
        """((H, W, 3) uint8 RGB, seconds from the first frame) of each frame."""
        for frame, seconds in self.timed():
            yield self.picture(frame), seconds

    def _problem(self, what: str) -> Problem:
        return Problem(f"{self.path}: {what}")

    def _choose_stream(self) -> av.VideoStream:
        streams = self._container.streams.video
        films = [each for each in streams if not each.disposition & each.disposition.attached_pic]
        if not films:
            raise self._problem(f"{ONLY_SOUND}{' and a cover picture' if streams else ''}")
        best = self._container.streams.best("video")
        stream = best if best in films else films[0]
        if stream.codec_context is None:
            raise self._problem("FFmpeg does not know its codec; convert it: ffmpeg -i in.avi -c:v libx264 out.mp4")
        return stream

    def packet_times(self) -> np.ndarray:
        """(T,) seconds that the frames will probably have, from the packets alone, which takes no time."""
        clock, stamps = self._begin(), []
        for packet in self._packets():
            if packet.size and not packet.is_discard:
                stamps.append(packet.dts if packet.pts is None else packet.pts)
            # No picture is shown before it is decoded: nothing of the interval comes behind it.
            if clock.origin is not None and self._seconds(packet.dts, clock) >= self._end:
                break
        known = sorted(float(stamp * self._stream.time_base) for stamp in stamps if stamp is not None)
        times = np.array([clock.read(seconds) for seconds in [*known, *[None] * (len(stamps) - len(known))]])
        if self._start is None:
            return times
        inside = times[(times >= self._start - EQUAL) & (times < self._end - EQUAL)]
        return inside - inside[:1]

    def _seconds(self, stamp: int | None, clock: Clock) -> float:
        return -math.inf if stamp is None else float(stamp * self._stream.time_base) - clock.origin

    def timed(self) -> Iterator[tuple[av.VideoFrame, float]]:
        """Each frame, of which `picture` makes an array, and its seconds from the first.

        Raises Problem where there is none, or too many are damaged.
        """
        clock, number, shift = self._begin(), 0, 0.0
        codec = self._stream.codec_context
        parity = None if codec.name in TELLING else PARITIES.get(codec.field_order)
        for frame in deinterlaced(self._decoded(), parity):
            seconds = clock.read(frame.time)
            if seconds >= self._end - EQUAL:
                break
            if seconds < (self._start or 0) - EQUAL:
                continue
            number += 1
            if number == 1:
                self._look_at(frame)
                if self._start is not None:
                    shift, self._damaged = seconds, 0  # what was damaged before the interval is no matter
            yield frame, seconds - shift
        if number == 0 and clock.last is not None:
            raise self._problem(f"no frame of it from {self._start:g} to {self._end:g} s; run the prepare step again")
        self._check_frames(number)

    def _check_frames(self, number: int) -> None:
        """Raise Problem where no frame came, or too few."""
        if number == 0:
            raise self._problem(
                f"no frame in it can be decoded ({self._stream.codec_context.name}); is it whole, is it encrypted?"
            )
        if self._damaged > max(2, LOST * number):
            raise self._problem(f"{self._damaged} frames are damaged, {number} came; get a whole copy")
        if self._damaged:
            self.notes.append(f"{counted(self._damaged, 'frame')} damaged, {number} came")

    def _packets(self) -> Iterator[av.Packet]:
        # The index of an AVI names each packet; that of others may not, or is made as packets come.
        whole = self._is_avi and self._start is None
        missing = sum(entry.size > 0 for entry in self._stream.index_entries) if whole else 0
        try:
            for packet in self._container.demux(self._stream):
                missing -= packet.size > 0
                yield packet
        except av.FFmpegError:
            self._damaged += 3  # what comes before the damaged place is there
        self._damaged += max(0, missing)

    def _decoded(self) -> Iterator[av.VideoFrame]:
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self._damaged += 1
                continue
            for frame in frames:
                self._damaged += frame.is_corrupt
                if self._is_avi:  # it has no times of showing; FFmpeg makes up false ones where frames are reordered
                    frame.pts = frame.dts
                yield frame

    def _look_at(self, frame: av.VideoFrame) -> None:
        """What the first frame says of all of them."""
        self._size = (frame.width, frame.height)
        matrix = frame.side_data.get("DISPLAYMATRIX")
        self._matrix = None if matrix is None else np.frombuffer(matrix, np.int32)[[0, 1, 3, 4]].reshape(2, 2)
        if frame.color_trc in HDR:
            self.notes.append(f"HDR video ({HDR[frame.color_trc]}): its colours come out flat; export it as SDR")

    def picture(self, frame: av.VideoFrame) -> np.ndarray:
        """A frame -> (H, W, 3) uint8 RGB, upright, with square pixels, as large as the first one."""
        try:
            image = rgb(frame)
        except (av.FFmpegError, OSError):
            colours = f"{frame.format.name}, colour matrix {frame.colorspace}"
            raise self._problem(f"FFmpeg cannot make RGB of its colours ({colours}); convert it to BT.709") from None
        if (frame.width, frame.height) != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
            if (note := "the size of its frames changes") not in self.notes:
                self.notes.append(note)
        if self._pixel_aspect != 1:
            width = max(1, round(image.shape[1] * self._pixel_aspect))
            how = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
            image = cv2.resize(image, (width, image.shape[0]), interpolation=how)
        return image if self._matrix is None else upright(image, self._matrix)


def upright(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> the same turned and mirrored as a file's display matrix says, (2, 2): x' = x m00 + y m10, ..."""
    if abs(matrix[0, 1]) > abs(matrix[0, 0]):  # a quarter turn: rows become columns
        image, matrix = image.transpose(1, 0, 2), matrix[::-1]
    steps = [-1 if matrix[axis, axis] < 0 else 1 for axis in (1, 0)]
    return np.ascontiguousarray(image[:: steps[0], :: steps[1]])


def first_frame_problem(path: Path) -> str | None:
    """What keeps the first frame of `path` from being decoded, in one line; None where nothing does.

    It takes some milliseconds whatever the length. Damage further on is found by who reads the whole video.
    """
    try:
        with VideoReader(path, threads=1) as video, contextlib.closing(iter(video)) as frames:
            next(frames)
    except Problem as problem:
        return str(problem).removeprefix(f"{path}: ")
    return None


def iter_video(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Yield ((H, W, 3) uint8 RGB, seconds from the start) for each frame.

    Raises Problem where the file is missing, is no video, was cut off or cannot be decoded.
    """
    with VideoReader(path) as video:
        yield from video


def read_video(path: Path, short_side: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A video's frames (T, H, W, 3) uint8 RGB and times (T,) float64 seconds; raises Problem as `iter_video` does.

    `short_side`: pixels that frames are resized to as they come.
    """
    frames, times = [], []
    for image, seconds in iter_video(path):
        frames.append(resize_short_side(image, short_side) if short_side else image)
        times.append(seconds)
    return np.stack(frames), np.array(times)
