"""The live demo's window: OpenCV's highgui and nothing else that knows of it; imported by livedemo.py, never run.

    window.check_display()
    window.show(demo, full_screen=False)        until the window is closed or a key quits

What is painted comes from overlay.py, at the window's own size, so that text is never scaled. highgui wants BGR; the
conversion is here and nowhere else.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

from command import Problem

import cv2
import numpy as np

import opticalflow
import overlay

TITLE = "sign recogniser"
SMALLEST, LARGEST = (320, 240), (1920, 1200)  # width, height painted; beyond, drawing gets slow
OPENING = 960  # width of a new window
# Seconds between drawings; while translating, the cores are for the network.
DRAW_EVERY = {"idle": 1 / 30, "countdown": 1 / 30, "recording": 1 / 30, "translating": 1 / 12, "result": 1 / 20}
ESCAPE = 27
FONTS = Path("/usr/share/fonts/truetype")
PROBE = "import cv2; cv2.namedWindow('probe', cv2.WINDOW_NORMAL)"


def check_display() -> None:
    """Raise Problem where no window can be opened: Qt would end the whole process, without a chance to say why."""
    instead = "run it at a desktop, or print the answer with --no-window"
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
        """The key pressed within `seconds`: a character, or nothing."""
        code = cv2.waitKey(max(1, round(seconds * 1000))) & 0xFF
        return "q" if code == ESCAPE else chr(code).lower() if code < 128 else ""

    def close(self) -> None:
        cv2.destroyAllWindows()
        cv2.waitKey(1)  # highgui closes only when it gets to handle its events


def shown(recogniser, machine) -> overlay.Shown:
    """The machine's answer in names and pictures, for the screen."""
    answer, name = machine.answer, recogniser.name
    fields = [] if answer.flow is None else answer.flow
    # One scale for the whole clip, or the noise of a still moment would glow like a movement.
    longest = max([1.0, *(float(np.percentile(np.abs(field), 99)) for field in fields)])
    return overlay.Shown(
        ranked=[(name(label), probability) for label, probability in answer.ranked[:3]],
        streams={key: (name(ranked[0][0]), ranked[0][1]) for key, ranked in answer.streams.items()},
        latency=machine.latency,
        seconds=dict(answer.seconds),
        rate=machine.rate,
        frames=list(answer.frames),
        flow=[opticalflow.flow_to_colour(field, longest) for field in fields],
    )


def show(demo, full_screen: bool = False) -> int:
    """Run the demo in a window until someone has seen enough; returns the exit code."""
    machine, mirror, result, painted, drawn = demo.machine, True, None, "", 0.0
    demo.step(wait=1.0)
    screen = Window(full_screen, opening(demo.picture))
    try:
        while machine.state != "quit":
            demo.step()
            if machine.state != painted:
                result = shown(demo.recogniser, machine) if machine.state == "result" else None
            if machine.state != painted or time.monotonic() - drawn > DRAW_EVERY[machine.state]:
                painted, drawn = machine.state, time.monotonic()
                screen.show(overlay.draw(demo.picture, view(machine, mirror, result), screen.size))
            key = screen.key(0.01)
            mirror = mirror != (key == "m")
            if key == " ":
                machine.start()
            elif key == "f":
                screen.toggle_full_screen()
            elif key == "q" or screen.closed:
                machine.quit()
    finally:
        screen.close()
    return 0


def opening(picture: np.ndarray) -> tuple[int, int]:
    """(width, height) of a new window: in the picture's shape, with room for the result."""
    return OPENING, min(OPENING, max(OPENING * 9 // 16, round(OPENING * picture.shape[0] / picture.shape[1])))


def view(machine, mirror: bool, result: overlay.Shown | None) -> overlay.View:
    """What the machine is at, for the painter."""
    return overlay.View(machine.state, machine.left, machine.progress, machine.elapsed, mirror, machine.message, result)
