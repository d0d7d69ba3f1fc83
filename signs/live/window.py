"""The live demo's window and its keys; OpenCV's highgui is used here and nowhere else.

    window.check_display()
    window.run_window(demo, full_screen=False)      until the window is closed or a key quits

overlay.py paints at the window's own size, so that text is never scaled. highgui wants BGR; the conversion is here and
nowhere else.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from signs import command
from signs.clips.container import video_problem
from signs.command import Problem
from signs.live import keys
from signs.live.display import find_screen
from signs.live.layout import opening_size
from signs.live.screen import Screen

import cv2
import numpy as np

TITLE = "sign recogniser"
SMALLEST, LARGEST = (560, 340), (1920, 1200)  # width, height painted: below, words overlap; beyond, it gets slow
LATE = 0.08  # seconds after which a camera's picture is not worth painting, which takes another hundredth
RECORD_RATE = 20.0  # frames a second of --record
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
        self._click = None
        cv2.setMouseCallback(TITLE, self._mouse)
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

    def _mouse(self, event: int, x: int, y: int, _flags: int, _more) -> None:
        if event == cv2.EVENT_LBUTTONDOWN:
            self._click = (x, y)

    def click(self) -> tuple[int, int] | None:
        """Where the window was clicked since the last time, in pixels of what was shown; None where it was not."""
        point, self._click = self._click, None
        return point

    def code(self, seconds: float) -> int | None:
        """The key pressed within `seconds` as the system numbers it (text_field.py); None without one."""
        code = cv2.waitKeyEx(max(1, round(seconds * 1000)))
        return None if code == -1 else code

    def close(self) -> None:
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # highgui closes only when it gets to handle its events


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


def run_window(demo, full_screen: bool = False, record: Path | None = None, text: float = 1.0) -> int:
    """Run the demo in a window until it is closed; returns the exit code. `record` gets what the window shows; `text`:
    how many times as large as usual words are."""
    demo.step(wait=1.0)
    screen, late = Screen(demo, text), False
    size = opening_size(demo.picture.shape[:2], find_screen(), text)
    with contextlib.ExitStack() as stack:
        window = stack.enter_context(contextlib.closing(Window(full_screen, size)))
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
            code = window.code(0.005)  # in which it is painted
            if drawn and demo.source.drops:  # a camera, whose stamps are of this clock
                demo.timings.add("camera to screen", time.perf_counter() - demo.moment)
            if keys.press(code, demo, screen, window) or window.closed:
                return command.DONE
            keys.click(window.click(), demo, screen)
