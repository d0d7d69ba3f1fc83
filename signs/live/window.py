"""The live demo's window and its keys; OpenCV's highgui is used here and nowhere else.

    window.check_display()
    window.run_window(demo, full_screen=False)      until the window is closed or a key quits

overlay.py paints at the window's own size, so that text is never scaled. highgui wants BGR; the conversion is here and
nowhere else.
"""

import contextlib
import functools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from signs import command
from signs.clips.container import video_problem
from signs.command import Problem
from signs.flow.stream import flow_to_colour
from signs.landmarks import skeleton
from signs.live import fonts, lettering, overlay
from signs.live.overlay import Result, View

import cv2
import numpy as np

TITLE = "sign recogniser"
SMALLEST, LARGEST = (320, 240), (1920, 1200)  # width, height painted; beyond, drawing gets slow
OPENING = 960  # width of a new window
SOONEST = 1 / 60  # seconds between drawings of a quick camera
# Seconds after which the window is drawn again without a new picture; while translating, the cores are the networks'.
DRAW_EVERY = {"loading": 1 / 15, "translating": 1 / 12, "result": 1 / 20}
ELSE_EVERY = 1 / 30
LATE = 0.08  # seconds after which a camera's picture is not worth painting, which takes another hundredth
FULL_COLOUR = 6.0  # pixels of movement shown in full colour
RECORD_RATE = 20.0  # frames a second of --record
WAYS = {"h": "hands-free", "c": "continuous"}
ESCAPE = 27
FONTS = Path("/usr/share/fonts/truetype")
PROBE = "import cv2; cv2.namedWindow('probe', cv2.WINDOW_NORMAL)"


def check_display(instead: str = "run it at a desktop, or print the answer with --no-window") -> None:
    """Raise Problem where no window can be opened: Qt would end the whole process, without a chance to say why.

    `instead`: what to do then.
    """
    if sys.platform == "linux" and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        raise Problem(f"no display to open a window on; {instead}")
    probe = subprocess.run([sys.executable, "-c", PROBE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if probe.returncode:
        raise Problem(f"no window can be opened on this display; {instead}")


class Window:
    """A window that shows RGB images of its own size and hands out the keys."""

    def __init__(self, full_screen: bool, size: tuple[int, int]):
        if FONTS.is_dir():  # OpenCV names a folder that its wheel lacks, and Qt would complain about it
            os.environ["QT_QPA_FONTDIR"] = str(FONTS)
        cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.moveWindow(TITLE, 80, 40)  # a window that grows where it was put may end beyond the screen
        cv2.resizeWindow(TITLE, *size)
        self.full_screen, self._size = False, size
        if full_screen:
            self.toggle_full_screen()

    def toggle_full_screen(self) -> None:
        self.full_screen = not self.full_screen
        mode = cv2.WINDOW_FULLSCREEN if self.full_screen else cv2.WINDOW_NORMAL
        cv2.setWindowProperty(TITLE, cv2.WND_PROP_FULLSCREEN, mode)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) to paint: the window's, within what is readable and quick."""
        width, height = cv2.getWindowImageRect(TITLE)[2:]
        if width > 0 and height > 0:
            shrink = min(1.0, LARGEST[0] / width, LARGEST[1] / height)
            self._size = max(SMALLEST[0], round(width * shrink)), max(SMALLEST[1], round(height * shrink))
        return self._size

    @property
    def closed(self) -> bool:
        try:
            return cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:
            return True

    def show(self, canvas: np.ndarray) -> None:
        cv2.imshow(TITLE, cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))

    def key(self, seconds: float) -> str:
        """The key pressed within `seconds`: a character, or an empty string."""
        return key_of(self.code(seconds))

    def code(self, seconds: float) -> int | None:
        """The key pressed within `seconds` as the system numbers it (text_field.py); None without one."""
        code = cv2.waitKeyEx(max(1, round(seconds * 1000)))
        return None if code == -1 else code

    def close(self) -> None:
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # highgui closes only when it gets to handle its events


def key_of(code: int | None) -> str:
    """A key as cv2.waitKeyEx gives it -> a small letter or another character, `q` for Esc; "" for what has none."""
    code = -1 if code is None else code & 0xFF
    return "q" if code == ESCAPE else chr(code).lower() if 0 <= code < 128 else ""


class Coloured(Sequence):
    """A clip's flow in colour: (T, H, W, 2) float32 pixels -> T pictures (H, W, 3) uint8 RGB.

    Each is made when it is first asked for: all at once would hold the camera's picture up for a tenth of a second. One
    scale serves the whole clip, or the noise of a still moment would glow like a movement.
    """

    def __init__(self, fields: Sequence[np.ndarray]):
        # Every seventh value says as much about the 99th percentile as all of them.
        longest = max([1.0, *(float(np.percentile(np.abs(field.ravel()[::7]), 99)) for field in fields)])
        self._pictures = [functools.cache(functools.partial(flow_to_colour, field, longest)) for field in fields]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._pictures[index]()


def names_of(recogniser) -> dict[str, str]:
    """{label: its name as the window can draw it}. The first time it looks through the fonts of the system."""
    return fonts.shown_names(recogniser.classes, lettering.can_draw, "the window shows")


def result_of(mode, names: dict[str, str], pictures: bool) -> Result:
    """The mode's answer in names; with the kept frames and their flow where the window has room for `pictures`."""
    answer = mode.answer
    best = [(names[label], probability) for label, probability in answer.ranked[:3]]
    streams = {key: (names[ranked[0][0]], ranked[0][1]) for key, ranked in answer.streams.items()}
    frames = list(answer.frames) if pictures else []
    flow = Coloured(answer.flow) if pictures and answer.flow is not None else []
    return Result(best, streams, mode.latency, dict(answer.seconds), mode.rate, frames, flow, answer.known)


class Screen:
    """What the window shows of a demo at this moment, and when it has to be drawn again."""

    def __init__(self, demo):
        self.demo, self.mirror = demo, True
        self._answer = self._result = self._field = self._colour = self._names = None
        self.painted, self._drawn, self._moment = "", 0.0, 0.0

    @property
    def due(self) -> bool:
        """Whether it is time to draw again."""
        state, since = self.demo.mode.state if self.demo.mode else "loading", time.monotonic() - self._drawn
        new = self.demo.moment != self._moment and since > SOONEST and state not in ("translating", "result")
        return new or state != self.painted or since > DRAW_EVERY.get(state, ELSE_EVERY)

    def draw(self, size: tuple[int, int]) -> np.ndarray:
        """The canvas of this moment, (height, width, 3) uint8 RGB."""
        mode, self._drawn, self._moment = self.demo.mode, time.monotonic(), self.demo.moment
        self.painted = mode.state if mode else "loading"
        picture = self._with_points(mode) if mode else self.demo.picture
        return overlay.draw_window(picture, self._view(mode) if mode else View("loading"), size)

    def _with_points(self, mode) -> np.ndarray:
        """The picture with body and hands drawn over it, where they are looked for."""
        picture, found = self.demo.picture, mode.tracker.newest if mode.tracker else None
        if found is None or found.size != picture.shape[:2] or mode.state == "result":
            return picture
        picture = picture.copy()
        skeleton.draw(picture, found.body, found.hands)
        return picture

    def _view(self, mode) -> View:
        if self._names is None:
            self._names = names_of(mode.recogniser)
        if mode.answer is not self._answer:
            self._answer = mode.answer
            self._result = result_of(mode, self._names, pictures=mode.state == "result") if mode.answer else None
        shared = {name: getattr(mode, name) for name in ("state", "left", "progress", "elapsed", "message", "level")}
        flow = self._flow(mode)
        history = [(self._names[line.label], line.known) for line in mode.history[-overlay.SHOWN :]]
        return View(**shared, mode=mode.name, mirror=self.mirror, result=self._result, history=history, flow=flow)

    def _flow(self, mode) -> np.ndarray | None:
        """The newest flow field in colour, made once a field, where something may move."""
        field = mode.field if mode.state == "recording" or mode.name == "continuous" else None
        if field is not self._field:
            self._field = field
            self._colour = None if field is None else flow_to_colour(field, FULL_COLOUR)
        return self._colour


class Record:
    """The window as a video, at an even rate whatever the drawing's was."""

    def __init__(self, path: Path, size: tuple[int, int]):
        self.path, self.size, self._begun, self._written = path, size, time.monotonic(), 0
        codec = "mp4v" if path.suffix.lower() == ".mp4" else "MJPG"
        self._video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), RECORD_RATE, size)
        if not self._video.isOpened():
            raise Problem(f"{path}: no video can be written there; is the folder there, and not full?")

    def add(self, canvas: np.ndarray) -> None:
        """Show `canvas` from now on: it is written as often as time has passed."""
        if canvas.shape[1::-1] != self.size:
            canvas = cv2.resize(canvas, self.size, interpolation=cv2.INTER_AREA)
        due = int((time.monotonic() - self._begun) * RECORD_RATE) + 1
        for _ in range(due - self._written):
            self._video.write(cv2.cvtColor(canvas, cv2.COLOR_RGB2BGR))
        self._written = max(due, self._written)

    def close(self) -> None:
        """Raises Problem where the video is not whole: the writer says nothing of a disc that has filled."""
        self._video.release()
        if video_problem(self.path):
            raise Problem(f"{self.path}: could not be written whole; make room on the disc, and record again")


def run_window(demo, full_screen: bool = False, record: Path | None = None) -> int:
    """Run the demo in a window until it is closed; returns the exit code. `record` gets what the window shows."""
    demo.step(wait=1.0)
    screen, late = Screen(demo), False
    with contextlib.ExitStack() as stack:
        window = stack.enter_context(contextlib.closing(Window(full_screen, opening_size(demo.picture))))
        video = stack.enter_context(contextlib.closing(Record(record, window.size))) if record else None
        while True:
            demo.step()
            drawn = screen.due
            if drawn:
                with demo.timings.measure("draw"):
                    canvas = screen.draw(window.size)
                # There is a newer picture by now; late twice in a row, the camera or the machine is slow.
                late = demo.source.drops and not late and time.perf_counter() - demo.moment > LATE
                if late:
                    continue
                window.show(canvas)
                if video:
                    video.add(canvas)
            key = window.key(0.005)  # in which it is painted
            if drawn and demo.source.drops:  # a camera, whose stamps are of this clock
                demo.timings.add("camera to screen", time.perf_counter() - demo.moment)
            if key == "q" or window.closed:
                return command.DONE
            press_key(key, demo, screen, window)


def press_key(key: str, demo, screen: Screen, window: Window) -> None:
    screen.mirror = screen.mirror != (key == "m")
    if key == " " and demo.mode:
        demo.mode.start()
    elif key == "f":
        window.toggle_full_screen()
    elif key in WAYS:
        demo.switch_mode(WAYS[key])


def opening_size(picture: np.ndarray) -> tuple[int, int]:
    """(width, height) of a new window: in the picture's shape, with room for the result."""
    return OPENING, min(OPENING, max(OPENING * 9 // 16, round(OPENING * picture.shape[0] / picture.shape[1])))
