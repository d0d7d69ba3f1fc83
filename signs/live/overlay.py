"""What the live demo paints over a picture: pure functions, image and state in, a new image out.

    canvas = overlay.draw_window(picture, View("recording", progress=0.4, left=3.0), (960, 720))

in:   picture (H, W, 3) uint8 RGB as the camera sees it, a `View`, the canvas size (width, height)
out:  (height, width, 3) uint8 RGB; nothing that came in is altered

The picture is mirrored here and nowhere else: only people see it so. Lengths in the code are for a window of 640x480;
`unit` is how many pixels of the canvas one of them is. `PAINTERS` has the function that paints each state; the result,
which is the whole window, is painted by result.py.
"""

import math
from dataclasses import dataclass, field

from signs.live import drawing, result
from signs.live.result import Result

import cv2

KEYS = {"space": "start", "h": "hands-free", "c": "continuous", "q": "quit", "m": "mirror", "f": "full screen"}
SHOWN = 6  # signs of the history
# Lengths of a ring with a number in it: radius, thickness, the panel's rim, height of the number; the panel's alpha.
COUNTDOWN_RING = (62, 8, 20, 64, 0.5)
RECORDING_RING = (24, 6, 11, 22, 0.66)


@dataclass(frozen=True)
class View:
    """Everything `draw_window` needs beside the picture: the state, and how far it has got."""

    state: str
    mode: str = "countdown"
    left: float = 0.0  # seconds left of countdown or recording
    progress: float = 0.0  # 0..1 of countdown or recording
    elapsed: float = 0.0  # seconds since the state began
    mirror: bool = True
    message: str = ""
    result: Result | None = None
    level: float = 0.0  # 0..1, how much moves, of what the scale shows
    history: list[tuple[str, bool]] = field(default_factory=list)  # names, newest last, and whether they are known
    flow: drawing.Image | None = None  # the newest field, in colour


def draw_window(picture: drawing.Image, view: View, size: tuple[int, int]) -> drawing.Image:
    """The whole window for one moment."""
    picture = picture[:, ::-1] if view.mirror else picture
    unit = min(size[0] / 640, size[1] / 480)
    if view.state == "result":
        canvas = drawing.blurred(picture, size)
        result.draw_result(canvas, view.result, unit, view.elapsed, view.mirror)
    else:
        canvas = drawing.contain(picture, size)
        draw_side(canvas, view, unit)
        PAINTERS[view.state](canvas, view, unit)
    if view.state in ("ready", "recording") and view.mode != "countdown":
        draw_strip(canvas, view, unit)
    draw_keys(canvas, unit)
    return canvas


def draw_keys(canvas: drawing.Image, unit: float) -> None:
    """The keys along the lower edge; the last ones are left out where there is no room."""
    height, width = canvas.shape[:2]
    size, high = 13 * unit, round(34 * unit)
    drawing.panel(canvas, (0, height - high, width, high), 0)
    x, middle = 14 * unit, height - high / 2
    line = middle + size * 0.35
    for key, meaning in KEYS.items():
        cap = drawing.text_width(key, size, drawing.BOLD) + 14 * unit
        needed = cap + 7 * unit + drawing.text_width(meaning, size)
        if x + needed > width - 10 * unit:
            break
        box = (round(x), round(middle - 10 * unit), round(cap), round(20 * unit))
        drawing.panel(canvas, box, 5 * unit, drawing.TRACK, 1.0)
        drawing.text(canvas, key, x + cap / 2, line, size, drawing.INK, drawing.BOLD, "centre")
        drawing.text(canvas, meaning, x + cap + 7 * unit, line, size, drawing.DIM)
        x += needed + 13 * unit


def draw_side(canvas: drawing.Image, view: View, unit: float) -> None:
    """Flow in the upper right corner, and below it the signs so far, the newest on top."""
    width = canvas.shape[1]
    y = (14 if view.state != "recording" or view.mode != "countdown" else 96) * unit
    if view.flow is not None:
        picture = view.flow[:, ::-1] if view.mirror else view.flow
        wide = 124 * unit
        high = wide * picture.shape[0] / picture.shape[1]
        drawing.inset(canvas, picture, (round(width - wide - 14 * unit), round(y), round(wide), round(high)), 8 * unit)
        y += high + 10 * unit
    for name, known in reversed(view.history[-SHOWN:]):
        size = 13 * unit
        name = drawing.fitted(name, size, drawing.REGULAR, 170 * unit)
        wide = drawing.text_width(name, size) + 18 * unit
        drawing.panel(canvas, (width - wide - 14 * unit, y, wide, 22 * unit), 11 * unit)
        colour = drawing.INK if known else drawing.DIM
        drawing.text(canvas, name, width - 23 * unit, y + 11 * unit + size * 0.35, size, colour, align="right")
        y += 27 * unit


def draw_strip(canvas: drawing.Image, view: View, unit: float) -> None:
    """The three best below the moving picture, and how much moves."""
    height, width = canvas.shape[:2]
    margin, high = 14 * unit, 92 * unit
    top = height - 34 * unit - high - 8 * unit
    drawing.panel(canvas, (margin, top, width - 2 * margin, high), 12 * unit, alpha=0.72)
    scale = (margin + 14 * unit, top + high - 11 * unit, width - 2 * margin - 28 * unit, 4 * unit)
    drawing.bar(canvas, scale, view.level, drawing.RED if view.state == "recording" else drawing.DIM)
    left, room = margin + 18 * unit, width - 2 * margin - 36 * unit
    if view.result is None:
        hint = "sign" if view.mode == "continuous" else "sign, and rest your hands"
        drawing.text(canvas, hint, left, top + 44 * unit, 20 * unit, drawing.DIM)
        return
    result.draw_best(canvas, view.result, unit, (left, top), 0.58 * room)
    x, y = left + 0.64 * room, top + 26 * unit
    for name, probability in view.result.ranked[1:3]:
        drawing.text(canvas, name, x, y, 15 * unit, drawing.DIM, room=0.27 * room)
        drawing.text(canvas, f"{probability * 100:.0f} %", left + room, y, 13 * unit, drawing.DIM, align="right")
        drawing.bar(canvas, (x, y + 7 * unit, left + room - x, 4 * unit), probability, drawing.DIM)
        y += 30 * unit


def draw_status(canvas: drawing.Image, unit: float, line: str, colour) -> None:
    """What the demo is at, in the upper left corner."""
    drawing.pill(canvas, 14 * unit, 14 * unit, unit, line, colour)


def draw_ring(canvas: drawing.Image, centre, unit: float, ring, part: float, seconds: int, colour) -> None:
    """Seconds in a ring that is filled to `part` (0..1)."""
    *lengths, alpha = ring
    radius, thick, rim, size = (length * unit for length in lengths)
    outer = radius + rim
    drawing.panel(canvas, (centre[0] - outer, centre[1] - outer, 2 * outer, 2 * outer), outer, alpha=alpha)
    drawing.arc(canvas, centre, radius, thick, 0, 1, drawing.TRACK)
    drawing.arc(canvas, centre, radius, thick, 0, part, colour)
    line = centre[1] + size * 0.35
    drawing.text(canvas, str(seconds), centre[0], line, size, drawing.INK, drawing.BOLD, "centre")


def draw_loading(canvas: drawing.Image, view: View, unit: float) -> None:
    draw_status(canvas, unit, "loading the model", drawing.AMBER)


def draw_learning(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    draw_status(canvas, unit, view.mode, drawing.AMBER)
    drawing.pill(canvas, width / 2, height - 84 * unit, unit, "hold still: learning how you rest", align="centre")
    box = (width / 2 - 110 * unit, height - 46 * unit, 220 * unit, 6 * unit)
    drawing.bar(canvas, box, view.progress, drawing.AMBER)


def draw_ready(canvas: drawing.Image, view: View, unit: float) -> None:
    line = view.message or ("watching" if view.mode == "continuous" else "ready")
    draw_status(canvas, unit, f"{view.mode}: {line}", drawing.AMBER if view.message else drawing.GREEN)


def draw_idle(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    draw_status(canvas, unit, view.message or "ready", drawing.AMBER if view.message else drawing.GREEN)
    drawing.pill(canvas, width / 2, height - 74 * unit, unit, "press space, then make one sign", align="centre")


def draw_countdown(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    centre, seconds = (width / 2, height / 2 - 17 * unit), max(1, math.ceil(view.left))
    draw_ring(canvas, centre, unit, COUNTDOWN_RING, 1 - view.progress, seconds, drawing.TEAL)
    draw_status(canvas, unit, "get ready", drawing.AMBER)


def draw_recording(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    # A red edge tells it even to someone who looks at their hands.
    cv2.rectangle(canvas, (0, 0), (width - 1, height - round(34 * unit)), drawing.RED, max(2, round(4 * unit)))
    beat = 0.8 + 0.2 * math.cos(view.elapsed * 2 * math.pi)
    draw_status(canvas, unit, "recording", tuple(round(value * beat) for value in drawing.RED))
    if view.mode != "countdown":  # nobody knows how long it will be
        return
    centre, seconds = (width - 50 * unit, 50 * unit), max(0, math.ceil(view.left))
    draw_ring(canvas, centre, unit, RECORDING_RING, view.progress, seconds, drawing.RED)
    drawing.bar(canvas, (14 * unit, height - 50 * unit, width - 28 * unit, 6 * unit), view.progress, drawing.RED)


def draw_translating(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    cv2.convertScaleAbs(canvas, canvas, 0.6, 6)
    wide, high, middle = 230 * unit, 74 * unit, height / 2 - 17 * unit
    left = width / 2 - wide / 2
    drawing.panel(canvas, (left, middle - high / 2, wide, high), 16 * unit, alpha=0.78)
    centre = (left + 40 * unit, middle)
    drawing.arc(canvas, centre, 18 * unit, 5 * unit, 0, 1, drawing.TRACK)
    drawing.arc(canvas, centre, 18 * unit, 5 * unit, view.elapsed * 300 % 360, 0.28, drawing.TEAL)
    drawing.text(canvas, "translating", left + 76 * unit, middle + 1 * unit, 20 * unit, drawing.INK, drawing.BOLD)
    drawing.text(canvas, f"{view.elapsed:.1f} s", left + 76 * unit, middle + 22 * unit, 14 * unit, drawing.DIM)


PAINTERS = {
    "loading": draw_loading,
    "learning": draw_learning,
    "ready": draw_ready,
    "idle": draw_idle,
    "countdown": draw_countdown,
    "recording": draw_recording,
    "translating": draw_translating,
}
