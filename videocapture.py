"""Frames with time stamps from a camera or from a video file that plays the camera's part.

    with videocapture.open_source(camera=0) as source:       # or video=Path("clip.avi"), paced=True
        for frame, seconds in source: ...

Each frame is (H, W, 3) uint8 RGB as the camera sees it, never mirrored. Seconds rise strictly: `time.perf_counter()`
on arrival for a camera, the file's own stamps for a file. A camera is opened by whoever enters it, which should be the
main thread: macOS asks there alone whether it may be. A thread reads, so that a camera that hangs or a slow file never
stops a window; whatever goes wrong in it is raised as `Problem` where the frames are taken.
"""

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from signs.clips.video import VideoReader, iter_video
from signs.command import Problem

import cv2
import numpy as np

Stamped = tuple[np.ndarray, float]
TRIED = 3.0  # seconds that a camera has to send a picture in when all are listed
SILENCE = 5.0  # seconds without a frame before a camera counts as stopped
FIRST = 20.0  # seconds that a camera has for its first picture: some drivers of Windows are that slow
TOLD = 2.0  # seconds of waiting for a camera after which it is said
WAITING = 32  # frames of a camera that may wait to be taken: one second
AHEAD = 2  # frames that are read ahead of a file, which waits
CAMERA_SIZE = (640, 480)  # asked of a camera; networks see half of it, and larger modes are often slower
LATE = 0.5  # seconds that playing a file may lag before it goes on from where it is instead of hurrying


class _Pass:
    """One run through a source: what its thread has read, and how it ended. A restart begins another."""

    def __init__(self, most: int):
        self.waiting: deque[Stamped] = deque(maxlen=most)  # the oldest is lost where one too many comes
        self.ended, self.stop, self.problem = False, threading.Event(), None
        self.arrival, self.begun = time.monotonic(), False
        self.changed = threading.Condition()


class VideoSource:
    """What camera and file share. Subclasses yield frames and seconds in `_read(stop)`."""

    drops = False  # whether late frames are lost: a camera goes on whether we look or not, a file waits
    loops = False  # whether it begins again when it ends
    silence: float | None = None  # seconds without a frame after which the source has a problem
    first: float | None = None  # the same before the first frame

    def __init__(self, name: str):
        self.name = name

    def _read(self, stop: threading.Event) -> Iterator[Stamped]:
        raise NotImplementedError

    def __enter__(self) -> "VideoSource":
        """Open, and wait for the first frame, so that whatever is wrong is known before anything else starts."""
        self._start()
        try:
            self._wait(self.first)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_error) -> None:
        self.close()

    def _start(self) -> None:
        self._pass = _Pass(WAITING if self.drops else AHEAD)
        self._thread = threading.Thread(target=self._pump, args=(self._pass,), name=self.name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading. The thread releases the device: nobody else may while it reads."""
        self._pass.stop.set()
        self._thread.join(timeout=2)

    def restart(self) -> None:
        """A file begins again; a camera goes on."""

    def play(self, number: int) -> None:
        """Of several files that one begins, counted from 0 and after the last from the first; else as `restart`."""
        self.restart()

    def span(self, limit: float) -> float | None:
        """Seconds from a file's first frame to its last, at most `limit`; None of a camera."""
        return None

    def _pump(self, run: _Pass) -> None:
        reading = self._read(run.stop)
        try:
            for stamped in reading:
                with run.changed:
                    while not self.drops and len(run.waiting) >= run.waiting.maxlen and not run.stop.is_set():
                        run.changed.wait(0.1)
                    run.waiting.append(stamped)
                    run.arrival, run.begun = time.monotonic(), True
                    run.changed.notify_all()
                if run.stop.is_set():
                    break
        except Exception as error:  # raised again by whoever takes the frames
            run.problem = error
        finally:
            reading.close()
            with run.changed:
                run.ended = True
                run.changed.notify_all()

    def _wait(self, seconds: float | None) -> None:
        """Wait (for `seconds` at most) until a frame is there or none will come; raises what the thread met."""
        run = self._pass
        with run.changed:
            run.changed.wait_for(lambda: run.waiting or run.ended, seconds)
            if run.waiting:
                return
            if run.problem:
                raise run.problem
            patience = self.silence if run.begun else self.first
            if not run.ended and patience and time.monotonic() - run.arrival >= patience:
                raise Problem(f"{self.name} has sent no picture for {patience:g} s; unplugged, or asleep?")

    def arrived(self, seconds: float = 0.0) -> list[Stamped]:
        """All frames since the last call, waiting up to `seconds` for the first; raises Problem for a silent camera."""
        self._wait(seconds)
        run = self._pass
        with run.changed:
            frames = list(run.waiting)
            run.waiting.clear()
            run.changed.notify_all()
        return frames

    @property
    def ended(self) -> bool:
        """Whether the last frame of a file has been taken."""
        with self._pass.changed:
            return self._pass.ended and not self._pass.waiting and self._pass.problem is None

    def __iter__(self) -> Iterator[Stamped]:
        while not self.ended:
            yield from self.arrived(0.1)


class VideoFile(VideoSource):
    """A file as a camera: at its own rate (`paced`, for a window) or as fast as its frames are taken."""

    def __init__(self, path: Path, paced: bool = False):
        super().__init__(str(path))
        self.path, self.paced, self.loops = path, paced, paced

    def restart(self) -> None:
        self.close()
        self._start()

    def span(self, limit: float) -> float | None:
        with VideoReader(self.path, threads=1) as video:  # the other one is read at once
            for _, last in video.timed():
                if last >= limit:
                    return limit
        return last

    def _read(self, stop: threading.Event) -> Iterator[Stamped]:
        start = time.monotonic()
        for picture, seconds in iter_video(self.path):
            if self.paced:
                wait = start + seconds - time.monotonic()
                if wait < -LATE:
                    start -= wait
                elif wait > 0 and stop.wait(wait):
                    return
            yield picture, seconds


class VideoFiles(VideoFile):
    """Files that play the camera's part one after the other, each again until `play`; after the last the first."""

    def __init__(self, paths: Sequence[Path]):
        super().__init__(paths[0], paced=True)
        self.paths = paths

    def play(self, number: int) -> None:
        self.path = self.paths[number % len(self.paths)]
        self.restart()


class Camera(VideoSource):
    """Camera number `index`, as OpenCV counts them; tests give another `capture`, which opens it."""

    drops = True

    def __init__(self, index: int, capture: Callable | None = None, silence: float = SILENCE, first: float = FIRST):
        super().__init__(f"camera {index}")
        self.index, self.capture, self.silence, self.first = index, capture or open_camera, silence, first

    def __enter__(self) -> "Camera":
        said = threading.Timer(TOLD, print, [f"waiting for {self.name}: some take 20 s"], {"file": sys.stderr})
        said.start()
        try:
            self._device = self.capture(self.index)
            if not self._device.isOpened():
                self._device.release()
                raise Problem(camera_problem(self.index))
            return super().__enter__()
        finally:
            said.cancel()

    def _read(self, stop: threading.Event) -> Iterator[Stamped]:
        device, last = self._device, -1.0
        try:
            while not stop.is_set():
                try:
                    there, picture = device.read()
                except Exception as error:  # of a driver, of any kind
                    raise Problem(f"{self.name}: {' '.join(str(error).split())}") from None
                now = time.perf_counter()  # Windows' other clocks tick every 16 ms
                if not there or picture is None or now <= last:
                    stop.wait(0.01)  # one failed read is common after opening; silence is told by the clock
                    continue
                last = now
                yield as_rgb(picture, self.name), now
        finally:
            device.release()


def as_rgb(picture: np.ndarray, name: str) -> np.ndarray:
    """(H, W, 3) uint8 RGB of what a camera sends: BGR, grey, or with a fourth channel; raises Problem otherwise."""
    channels = 1 if picture.ndim == 2 else picture.shape[2]
    ways = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGB}
    if picture.dtype != np.uint8 or channels not in ways or not picture.size:
        raise Problem(f"{name} sends pictures of {picture.shape} {picture.dtype}; expected colour of 8 bits")
    return cv2.cvtColor(picture, ways[channels])


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV without its own lines about what it tried on the way: the one line that helps is ours."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def open_camera(index: int) -> "cv2.VideoCapture":
    """The camera with a short queue in the driver, without OpenCV's lines about what it tried on the way."""
    with quiet_opencv():
        device = cv2.VideoCapture(index)
    if device.isOpened():
        device.set(cv2.CAP_PROP_FRAME_WIDTH, CAMERA_SIZE[0])
        device.set(cv2.CAP_PROP_FRAME_HEIGHT, CAMERA_SIZE[1])
        # Two, not one: with one buffer the driver cannot fill the next frame while this one is decoded.
        device.set(cv2.CAP_PROP_BUFFERSIZE, 2)
    return device


def camera_numbers(devices: Path) -> list[int]:
    """Numbers of the cameras that Linux lists."""
    return sorted(int(path.name[5:]) for path in devices.glob("video*") if path.name[5:].isdigit())


def camera_problem(index: int, devices: Path = Path("/dev"), platform: str = sys.platform) -> str:
    """Why camera `index` did not open, as far as the system tells, and what to do."""
    instead = "plug one in, or play a file: --video clip.avi"
    if platform != "linux":
        return f"camera {index} does not open: none there, used by another program, or not allowed; {instead}"
    numbers = camera_numbers(devices)
    if not numbers:
        return f"camera {index}: no camera found; {instead}"
    if index not in numbers:
        return f"camera {index}: no such camera; found {', '.join(map(str, numbers))}: try --camera {numbers[0]}"
    node = devices / f"video{index}"
    if not os.access(node, os.R_OK):
        return f"camera {index}: {node} may not be read; add yourself to its group: sudo usermod -aG video $USER"
    others = [f"--camera {number}" for number in numbers if number != index]
    hint = f", or try {' or '.join(others)}" if others else ""
    return f"camera {index} is there but does not open; another program may be using it: close that one{hint}"


@dataclass(frozen=True)
class FoundCamera:
    """picture: (H, W, 3) uint8 RGB, or None where `problem` says why not; rate in frames/s."""

    index: int
    name: str
    picture: np.ndarray | None = None
    rate: float = 0.0
    problem: str = ""


def find_cameras(devices: Path = Path("/dev"), names: Path = Path("/sys/class/video4linux")) -> list[FoundCamera]:
    """The cameras that are there, each with a picture taken a second after it was opened (its light has settled)."""
    numbers = camera_numbers(devices)
    cameras = []
    for index in numbers if sys.platform == "linux" else range(4):
        try:
            name = (names / f"video{index}" / "name").read_text(encoding="utf-8").strip()
        except OSError:
            name = f"camera {index}"
        try:
            with Camera(index, silence=TRIED, first=TRIED) as source:
                until, stamped = time.monotonic() + 1.0, []
                while time.monotonic() < until:
                    stamped += source.arrived(0.1)
            rate = (len(stamped) - 1) / (stamped[-1][1] - stamped[0][1]) if len(stamped) > 1 else 0.0
            cameras.append(FoundCamera(index, name, stamped[-1][0], rate))
        except Problem as problem:
            if sys.platform == "linux":
                cameras.append(FoundCamera(index, name, problem=str(problem)))
    return cameras


def open_source(camera: int = 0, video: Path | None = None, paced: bool = False) -> VideoSource:
    """The video file where one is given, else the camera; opened by `with`."""
    return VideoFile(video, paced) if video else Camera(camera)
